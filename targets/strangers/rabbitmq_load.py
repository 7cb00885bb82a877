"""Publishers and consumers at a fixed pace: `rabbitmq_load.py PORT SECONDS`."""

import sys
import threading
import time

import pika

PAIRS = 4
PER_SECOND = 200
BODY = b"x" * 1024


def connected(port):
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))


def publish(port, queue, until):
    channel = connected(port).channel()
    channel.queue_declare(queue)
    due = time.monotonic()
    while due < until:
        for _ in range(10):
            channel.basic_publish("", queue, BODY)
        due += 10 / PER_SECOND
        time.sleep(max(0, due - time.monotonic()))


def consume(port, queue, until, counts, idx):
    channel = connected(port).channel()
    channel.queue_declare(queue)
    channel.basic_qos(prefetch_count=50)
    for method, _, _ in channel.consume(queue, inactivity_timeout=1):
        if method is not None:
            channel.basic_ack(method.delivery_tag)
            counts[idx] += 1
        if time.monotonic() > until:
            break


def tell(counts):
    """How many messages were consumed so far, once a second: whoever watches sees that it goes on."""
    while True:
        print(f"so far {sum(counts)}", flush=True)
        time.sleep(1)


def main():
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    until = time.monotonic() + seconds
    counts = [0] * PAIRS
    threads = []
    for idx in range(PAIRS):
        queue = f"shop-{idx}"
        threads.append(threading.Thread(target=publish, args=(port, queue, until)))
        threads.append(threading.Thread(target=consume, args=(port, queue, until, counts, idx)))
    threading.Thread(target=tell, args=(counts,), daemon=True).start()
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    print(f"{sum(counts) / seconds:.0f} messages a second were consumed")


main()
