"""Users who write to each other at a fixed pace: `ejabberd_load.py PORT SECONDS USERS`."""

import base64
import re
import socket
import sys
import threading
import time

PER_SECOND = 10
HEADER = "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"


class User:
    """One that is logged in."""

    def __init__(self, port, name):
        self.name = name
        self.received = 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.say(HEADER, "</stream:features>")
        plain = base64.b64encode(f"\0{name}\0secret".encode()).decode()
        self.say(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>", "<success")
        self.say(HEADER, "</stream:features>")
        self.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</iq>")
        self.say("<presence/>", "<presence")

    def say(self, text, answer):
        self.socket.sendall(text.encode())
        seen = ""
        while answer not in seen:
            more = self.socket.recv(65536).decode()
            if not more:
                raise SystemExit(f"{self.name}: the server ended the stream: {seen}")
            seen += more

    def listen(self):
        while more := self.socket.recv(65536):
            self.received += len(re.findall(rb"<body>", more))

    def write(self, others, until):
        due = time.monotonic()
        idx = 0
        while due < until:
            to = others[idx % len(others)]
            idx += 1
            self.socket.sendall(f"<message to='{to}@localhost' type='chat'><body>hello {idx}</body></message>".encode())
            due += 1 / PER_SECOND
            time.sleep(max(0, due - time.monotonic()))


def tell(users):
    """How many messages came so far, once a second: whoever watches sees that it goes on."""
    while True:
        print(f"so far {sum(it.received for it in users)}", flush=True)
        time.sleep(1)


def main():
    port, seconds, count = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    names = [f"user{idx}" for idx in range(count)]
    users = [User(port, it) for it in names]
    for it in users:
        threading.Thread(target=it.listen, daemon=True).start()
    threading.Thread(target=tell, args=(users,), daemon=True).start()
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=it.write, args=(names, until)) for it in users]
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    print(f"{sum(it.received for it in users) / seconds:.0f} messages a second were received")


main()
