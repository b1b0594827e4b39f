/* Holds as many listening TCP sockets on loopback as its first argument says, and processes as its second, until it is
 * ended: a busy device for tests/bench/emulated.py. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **words) {
    if (count != 3) {
        return 2;
    }
    for (int process = 1; process < atoi(words[2]); process++) {
        if (fork() == 0) {
            pause();
            return 0;
        }
    }
    for (int port = 0; port < atoi(words[1]); port++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(20000 + port)};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int listener = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0) {
            perror("cannot listen");
            return 1;
        }
    }
    pause();
    return 0;
}
