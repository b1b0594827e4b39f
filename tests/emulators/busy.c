/* A busy device's processes and sockets, until it is ended: so many processes as its first argument says, in which
 * nothing happens; so many TCP listeners on loopback from port 20000 on as its second; and so many connections to the
 * first of them as its third, each of which is two sockets. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(20000 + port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int main(int count, char **words) {
    if (count != 4) {
        return 2;
    }
    for (int process = 1; process < atoi(words[1]); process++) {
        if (fork() == 0) {
            pause();
            return 0;
        }
    }
    int first = -1;
    for (int port = 0; port < atoi(words[2]); port++) {
        struct sockaddr_in here = address(port);
        int listener = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(listener, (struct sockaddr *)&here, sizeof here) != 0 || listen(listener, 8) != 0) {
            perror("cannot listen");
            return 1;
        }
        first = port == 0 ? listener : first;
    }
    for (int number = 0; number < atoi(words[3]); number++) {
        struct sockaddr_in there = address(0);
        if (connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&there, sizeof there) != 0
            || accept(first, NULL, NULL) < 0) {
            perror("cannot connect");
            return 1;
        }
    }
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
