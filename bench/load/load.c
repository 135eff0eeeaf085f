// SPDX-License-Identifier: Apache-2.0
/*
 * A small network load tool. Every run is bounded in time and in count, and prints one line of JSON.
 *
 *   load serve PORT SECONDS                          UDP echo and TCP connect/request/close on PORT, TCP sink on PORT + 1
 *   load rtt ADDRESS COUNT SECONDS                   ICMP echo, one after the other, spinning: round trips of one warm flow
 *   load first ADDRESS PORT COUNT GAP_US FROM        UDP echo from a new source port each time: first and second round trip
 *   load stream ADDRESS PORT SECONDS                 one TCP stream
 *   load connect ADDRESS PORT SECONDS PARALLEL FROM  TCP connect, request, answer, close; each from a source port of its own
 *   load flows IFACE COUNT RATE SECONDS FROM PERIOD TARGETS MAC ADDRESS
 *       raw frames, each the next of PERIOD flows: UDP, another source every time, to one of TARGETS consecutive addresses
 *   load watch IFACE FILE SECONDS                    when frames of `flows` last came, and when last one was missing
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_MAX 1200
#define COUNT_MAX 100000000
#define TIMES_MAX 1000000
#define LOST_AFTER_NS 1000000000ull
/* Source ports of our clients: what is below belongs to the system, what is above is left to it. */
#define PORT_FIRST 2000
#define PORT_COUNT 60000
/* Ports on which the server takes connections, so that 16 * 60,000 of them differ. */
#define SERVER_PORTS 16

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* The clock of the kernel's stamps. */
static uint64_t wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long number(const char *text, long max)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || value < 0 || value > max) {
		fprintf(stderr, "load: expected a number from 0 to %ld, not %s\n", max, text);
		exit(64);
	}
	return value;
}

static uint64_t end_after(const char *seconds)
{
	return now_ns() + number(seconds, SECONDS_MAX) * 1000000000ull;
}

static struct sockaddr_in ip_address(const char *text, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, text, &a.sin_addr) != 1) {
		fprintf(stderr, "load: %s is no IPv4 address\n", text);
		exit(64);
	}
	return a;
}

/* ---- round trips ---- */

struct times {
	double *us;
	long count, lost;
};

static struct times new_times(void)
{
	return (struct times){ .us = malloc(TIMES_MAX * sizeof(double)) };
}

static void add_time(struct times *t, uint64_t ns)
{
	if (t->count < TIMES_MAX)
		t->us[t->count++] = ns / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_times(const char *name, struct times *t)
{
	qsort(t->us, t->count, sizeof(double), compare);
	printf("\"%s\":{\"count\":%ld,\"lost\":%ld", name, t->count, t->lost);
	if (t->count)
		printf(",\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f", t->us[t->count / 2], t->us[t->count * 9 / 10],
		       t->us[t->count * 99 / 100]);
	printf("}");
}

static uint16_t checksum(const void *bytes, int length)
{
	const uint16_t *p = bytes;
	uint32_t sum = 0;

	for (; length > 1; length -= 2)
		sum += *p++;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Nanoseconds from `sent` to the arrival that the kernel stamped on the reply; 0 while it is not there. */
static uint64_t echo_reply(int s, const struct icmphdr *request, uint64_t sent)
{
	unsigned char in[256], stamp[64];
	struct iovec part = { in, sizeof(in) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = stamp, .msg_controllen = sizeof(stamp) };
	int n = recvmsg(s, &m, 0);
	struct icmphdr *h = (void *)(in + 20);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct timespec t;

	if (n < 28 || h->type != ICMP_ECHOREPLY || h->un.echo.sequence != request->un.echo.sequence || !c)
		return 0;
	memcpy(&t, CMSG_DATA(c), sizeof(t));
	return t.tv_sec * 1000000000ull + t.tv_nsec - sent;
}

/* As `ping -f` counts: from before the request is sent until the reply has reached the sender's stack. */
static void rtt(char **v)
{
	struct sockaddr_in to = ip_address(v[2], 0);
	long count = number(v[3], TIMES_MAX);
	uint64_t end = end_after(v[4]);
	int s = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP), one = 1;
	struct { struct icmphdr h; char rest[48]; } echo = { .h.type = ICMP_ECHO, .h.un.echo.id = htons(getpid() & 0xffff) };
	struct times times = new_times();

	if (s < 0 || connect(s, (void *)&to, sizeof(to)) || setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)))
		die("open an ICMP socket");
	for (long i = 0; i < count && now_ns() < end; i++) {
		uint64_t sent, took = 0, late = now_ns() + LOST_AFTER_NS;

		echo.h.un.echo.sequence = htons(i & 0xffff);
		echo.h.checksum = 0;
		echo.h.checksum = checksum(&echo, sizeof(echo));
		sent = wall_ns();
		if (send(s, &echo, sizeof(echo), 0) < 0)
			die("send an echo request");
		while (!took && now_ns() < late)
			took = echo_reply(s, &echo.h, sent);
		if (took)
			add_time(&times, took);
		else
			times.lost++;
	}
	printf("{");
	print_times("rtt", &times);
	printf("}\n");
}

static int udp_socket(int port)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_usec = 300000 };

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (bind(s, (void *)&a, sizeof(a)))
		die("bind a UDP port");
	return s;
}

/* One round trip on a connected socket; 0 when nothing came back. */
static uint64_t udp_echo(int s, uint32_t sequence)
{
	char out[18] = { 0 }, in[64];
	uint64_t sent = now_ns();

	memcpy(out, &sequence, sizeof(sequence));
	if (send(s, out, sizeof(out), 0) < 0)
		return 0;
	for (;;) {
		int n = recv(s, in, sizeof(in), 0);

		if (n < 0)
			return 0;
		if (n == sizeof(out) && !memcmp(in, out, sizeof(sequence)))
			return now_ns() - sent;
	}
}

static void first(char **v)
{
	struct sockaddr_in to = ip_address(v[2], number(v[3], 65535));
	long count = number(v[4], PORT_COUNT), gap_us = number(v[5], 100000), from = number(v[6], COUNT_MAX);
	struct times times[2] = { new_times(), new_times() };

	for (long i = 0; i < count; i++) {
		int s = udp_socket(PORT_FIRST + (from + i) % PORT_COUNT);

		if (connect(s, (void *)&to, sizeof(to)))
			die("connect a UDP socket");
		for (int j = 0; j < 2; j++) {
			uint64_t ns = udp_echo(s, i * 2 + j);

			if (ns)
				add_time(&times[j], ns);
			else
				times[j].lost++;
		}
		close(s);
		usleep(gap_us);
	}
	printf("{");
	print_times("first", &times[0]);
	printf(",");
	print_times("second", &times[1]);
	printf("}\n");
}

/* ---- TCP ---- */

static void stream(char **v)
{
	struct sockaddr_in to = ip_address(v[2], number(v[3], 65535));
	int s = socket(AF_INET, SOCK_STREAM, 0), unsent = 0;
	static char block[256 * 1024];
	uint64_t sent = 0, start, end;

	if (connect(s, (void *)&to, sizeof(to)))
		die("connect");
	start = now_ns();
	for (end = end_after(v[4]); now_ns() < end;) {
		int n = send(s, block, sizeof(block), MSG_NOSIGNAL);

		if (n < 0)
			die("send a stream");
		sent += n;
	}
	ioctl(s, SIOCOUTQ, &unsent);
	printf("{\"bytes\":%lu,\"seconds\":%.6f}\n", sent - unsent, (now_ns() - start) / 1e9);
	close(s);
}

struct client {
	int s;
	uint64_t started;
};

struct connecting {
	const char *address;
	int port, poll;
	long from, started, done, failed;
	struct times times;
};

/* Binds to the source port of the next connection; one that some other socket has is left out. */
static long bind_next(struct connecting *c, int s)
{
	for (int attempts = 0; attempts < 100; attempts++) {
		long n = c->from + c->started++;
		struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(PORT_FIRST + n % PORT_COUNT) };

		if (!bind(s, (void *)&own, sizeof(own)))
			return n;
	}
	die("bind a source port");
	return 0;
}

static void begin(struct connecting *c, struct client *client)
{
	struct linger reset = { .l_onoff = 1 };
	int one = 1;

	client->s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	client->started = now_ns();
	setsockopt(client->s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(client->s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* The server closes first; our reset takes its waiting time away, so that ports can be used again. */
	setsockopt(client->s, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	long n = bind_next(c, client->s);
	struct sockaddr_in to = ip_address(c->address, c->port + (n / PORT_COUNT) % SERVER_PORTS);

	if (connect(client->s, (void *)&to, sizeof(to)) && errno != EINPROGRESS)
		die("connect");
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = client };

	if (epoll_ctl(c->poll, EPOLL_CTL_ADD, client->s, &e))
		die("watch a connection");
}

static void finish(struct connecting *c, struct client *client, int worked)
{
	close(client->s);
	if (worked) {
		c->done++;
		add_time(&c->times, now_ns() - client->started);
	} else {
		c->failed++;
	}
	begin(c, client);
}

/* Connected: send the request. Answered: read on until the server has closed. */
static void advance(struct connecting *c, struct client *client, uint32_t events)
{
	char byte = 'x';

	if (events & EPOLLERR)
		return finish(c, client, 0);
	if (events & EPOLLOUT) {
		struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = client };

		if (send(client->s, &byte, 1, MSG_NOSIGNAL) != 1)
			return finish(c, client, 0);
		epoll_ctl(c->poll, EPOLL_CTL_MOD, client->s, &e);
		return;
	}
	if (!(events & EPOLLRDHUP))
		return;
	finish(c, client, recv(client->s, &byte, 1, 0) == 1);
}

static void connect_many(char **v)
{
	static struct client clients[256];
	struct connecting c = { .address = v[2], .port = number(v[3], 65535), .from = number(v[6], COUNT_MAX),
				.poll = epoll_create1(0), .times = new_times() };
	long parallel = number(v[5], 256);
	uint64_t start = now_ns(), end = end_after(v[4]);
	struct epoll_event events[64];

	for (long i = 0; i < parallel; i++)
		begin(&c, &clients[i]);
	while (now_ns() < end) {
		int n = epoll_wait(c.poll, events, 64, 100);

		for (int i = 0; i < n; i++)
			advance(&c, events[i].data.ptr, events[i].events);
		for (long i = 0; i < parallel; i++)
			if (now_ns() - clients[i].started > LOST_AFTER_NS)
				finish(&c, &clients[i], 0);
	}
	printf("{\"done\":%ld,\"failed\":%ld,\"seconds\":%.6f,\"next\":%ld,", c.done, c.failed,
	       (now_ns() - start) / 1e9, c.from + c.started);
	print_times("connection", &c.times);
	printf("}\n");
}

/* ---- the server ---- */

enum role { ECHO, LISTEN_ANSWER, LISTEN_SINK, ANSWER, SINK };

static void watch_socket(int poll, int s, enum role role)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t)role << 32 | (uint32_t)s };

	if (epoll_ctl(poll, EPOLL_CTL_ADD, s, &e))
		die("watch a socket");
}

static int listener(int port)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (void *)&a, sizeof(a)) || listen(s, 1024))
		die("listen");
	return s;
}

static void take_connections(int poll, int s, enum role role)
{
	int taken;

	while ((taken = accept4(s, NULL, NULL, SOCK_NONBLOCK)) >= 0)
		watch_socket(poll, taken, role);
}

static void serve_one(int poll, int s, enum role role)
{
	static char block[256 * 1024];
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	int n;

	switch (role) {
	case ECHO:
		n = recvfrom(s, block, sizeof(block), MSG_DONTWAIT, (void *)&from, &length);
		if (n >= 0)
			sendto(s, block, n, 0, (void *)&from, length);
		return;
	case LISTEN_ANSWER:
		return take_connections(poll, s, ANSWER);
	case LISTEN_SINK:
		return take_connections(poll, s, SINK);
	case ANSWER:
		if (recv(s, block, 16, 0) == 1)
			send(s, block, 1, MSG_NOSIGNAL);
		close(s);
		return;
	case SINK:
		if (recv(s, block, sizeof(block), 0) <= 0)
			close(s);
	}
}

static void serve(char **v)
{
	int port = number(v[2], 65000), poll = epoll_create1(0);
	uint64_t end = end_after(v[3]);
	struct epoll_event events[64];

	watch_socket(poll, udp_socket(port), ECHO);
	for (int i = 0; i < SERVER_PORTS; i++)
		watch_socket(poll, listener(port + i), LISTEN_ANSWER);
	watch_socket(poll, listener(port + SERVER_PORTS), LISTEN_SINK);
	printf("{\"serving\":%d}\n", port);
	while (now_ns() < end) {
		int n = epoll_wait(poll, events, 64, 500);

		for (int i = 0; i < n; i++)
			serve_one(poll, events[i].data.u64 & 0xffffffff, events[i].data.u64 >> 32);
	}
}

/* ---- new flows ---- */

#define BATCH 16
#define FRAME_BYTES 64
#define FLOWS_PORT 53

struct __attribute__((packed)) frame {
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	uint64_t sequence;
	char rest[FRAME_BYTES - 14 - 20 - 8 - 8];
};

static void make_frame(struct frame *f, char **v)
{
	struct sockaddr_in to = ip_address(v[10], 0);

	*f = (struct frame){ .eth.ether_type = htons(ETHERTYPE_IP), .udp.dest = htons(FLOWS_PORT) };
	f->ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .daddr = to.sin_addr.s_addr };
	f->ip.tot_len = htons(FRAME_BYTES - 14);
	f->udp.len = htons(FRAME_BYTES - 14 - 20);
	if (sscanf(v[9], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &f->eth.ether_dhost[0], &f->eth.ether_dhost[1],
		   &f->eth.ether_dhost[2], &f->eth.ether_dhost[3], &f->eth.ether_dhost[4], &f->eth.ether_dhost[5]) != 6)
		die("read the destination's MAC");
}

/* The source is 10.128.0.0/9 and a port of 65,536: flow by flow another one. */
static void aim_frame(struct frame *f, uint64_t flow, uint64_t sequence, uint32_t target)
{
	f->ip.daddr = htonl(target);
	f->ip.saddr = htonl(0x0a800000 | ((flow >> 16) & 0x7fffff));
	f->udp.source = htons(flow & 0xffff);
	f->ip.check = 0;
	f->ip.check = checksum(&f->ip, sizeof(f->ip));
	f->sequence = sequence;
}

static int packet_socket(const char *iface, int protocol, unsigned char *mac)
{
	int s = socket(AF_PACKET, SOCK_RAW, 0);
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = if_nametoindex(iface) };
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, iface, IFNAMSIZ - 1);
	if (s < 0 || bind(s, (void *)&a, sizeof(a)) || ioctl(s, SIOCGIFHWADDR, &request))
		die(iface);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	return s;
}

static void flows(char **v)
{
	uint64_t count = number(v[3], COUNT_MAX), rate = number(v[4], 10000000);
	uint64_t start = now_ns(), end = end_after(v[5]), from = number(v[6], COUNT_MAX), period = number(v[7], COUNT_MAX);
	uint32_t targets = number(v[8], 200), first_target;
	static struct frame frames[BATCH];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec parts[BATCH];
	uint64_t sent = 0, refused = 0;
	unsigned char mac[6];
	int s = packet_socket(v[2], 0, mac);

	for (int i = 0; i < BATCH; i++) {
		make_frame(&frames[i], v);
		memcpy(frames[i].eth.ether_shost, mac, 6);
		parts[i] = (struct iovec){ &frames[i], FRAME_BYTES };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	first_target = ntohl(frames[0].ip.daddr);
	while (sent < count) {
		uint64_t now = now_ns();
		uint64_t due = rate ? (now - start) * rate / 1000000000 + 1 : sent + BATCH;
		int batch = due - sent > BATCH ? BATCH : due - sent, done;

		if (now >= end)
			break;
		if (due <= sent) {
			/* A rate that leaves room for it: who spins takes a processor from what is measured. */
			if (rate <= 20000)
				usleep(100);
			continue;
		}
		for (int i = 0; i < batch; i++) {
			uint64_t flow = from + (sent + i) % period;

			aim_frame(&frames[i], flow, sent + i, first_target + flow % targets);
		}
		done = sendmmsg(s, messages, batch, 0);
		if (done > 0)
			sent += done;
		else
			refused++;
	}
	printf("{\"sent\":%lu,\"refused\":%lu,\"seconds\":%.6f}\n", sent, refused, (now_ns() - start) / 1e9);
}

/* What `watch` writes into its file, in host order; times are CLOCK_MONOTONIC. */
struct seen {
	volatile uint64_t frames, last_ns, last_gap_ns, missing;
};

/* Frames of one target that may be late: seconds of them at the rates of a bench. */
#define LATE_MAX 4096

/* When each of the last frames was found missing; 0: it has come. */
static uint64_t missed_ns[LATE_MAX];

/* Frames before the `place`th have been overtaken, or are lost. */
static void miss(struct seen *seen, uint64_t place, uint64_t count, uint64_t now)
{
	for (uint64_t i = 1; i <= count && i <= LATE_MAX; i++)
		missed_ns[(place - i) % LATE_MAX] = now;
	missed_ns[place % LATE_MAX] = 0;
	seen->missing += count;
	if (count)
		seen->last_gap_ns = now;
}

/* A frame that was overtaken is none that is missing: the gap that counts is the last that stayed one. */
static void came_late(struct seen *seen, uint64_t place)
{
	uint64_t *missed = &missed_ns[place % LATE_MAX], last = 0;

	if (!*missed)
		return;
	seen->missing--;
	if (*missed == seen->last_gap_ns) {
		*missed = 0;
		for (int i = 0; i < LATE_MAX; i++)
			last = missed_ns[i] > last ? missed_ns[i] : last;
		seen->last_gap_ns = last;
	}
	*missed = 0;
}

static void watch(char **v)
{
	int file = open(v[3], O_RDWR | O_CREAT | O_TRUNC, 0600), bytes = 16 << 20;
	uint64_t end = end_after(v[4]), previous = 0, step = 0, place;
	struct timeval patience = { .tv_usec = 100000 };
	unsigned char mac[6];
	int s = packet_socket(v[2], ETHERTYPE_IP, mac);
	struct frame f;
	struct seen *seen;

	if (file < 0 || ftruncate(file, sizeof(*seen)))
		die(v[3]);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	printf("{\"watching\":true}\n");
	while (now_ns() < end) {
		if (recv(s, &f, sizeof(f), 0) != sizeof(f) || f.udp.dest != htons(FLOWS_PORT))
			continue;
		uint64_t now = now_ns();

		/* One sender takes its targets in turn, so that frames of one target are a fixed number apart. */
		if (seen->frames == 1 && f.sequence > previous)
			step = f.sequence - previous;
		place = step ? f.sequence / step : 0;
		/* Long before: the sender was started again. */
		if (step && place + LATE_MAX < previous / step)
			previous = f.sequence;
		else if (step && f.sequence < previous)
			came_late(seen, place);
		else if (step)
			miss(seen, place, place - previous / step - 1, now);
		if (f.sequence > previous || !step)
			previous = f.sequence;
		seen->last_ns = now;
		seen->frames++;
	}
}

static const struct command {
	const char *name;
	int words;
	void (*run)(char **v);
} commands[] = {
	{ "serve", 2, serve }, { "rtt", 3, rtt },	       { "first", 5, first }, { "stream", 3, stream },
	{ "connect", 5, connect_many }, { "flows", 9, flows }, { "watch", 3, watch },
};

int main(int c, char **v)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (c > 1 && !strcmp(v[1], commands[i].name) && c == commands[i].words + 2) {
			commands[i].run(v);
			return 0;
		}
	}
	fprintf(stderr, "load: what it takes stands at the beginning of load.c\n");
	return 64;
}
