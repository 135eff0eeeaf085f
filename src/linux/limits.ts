/** Descriptors reported by one `EpollSet.wait`. A worker waits for at most 16 rings, a state ring and an eventfd. */
export const epollEventsMax = 32;

/** Room for the verifier's log of one load: 4 MB, of which only what is written becomes resident. */
export const libbpfLogBytes = 4 * 1024 * 1024;

/** Messages of libbpf kept for one error; a load that fails prints fewer than twenty. */
export const libbpfLogLines = 100;

/** Bytes of one message of libbpf; longer ones are cut. */
export const libbpfLogLineBytes = 8192;

/** Lines of the verifier's log at the end of an error: the refusing instruction and its statistics are in the last. */
export const verifierLinesShown = 20;

/** Frames of one batch of a packet sender: 64 amortise the system call; more only adds latency to the first. */
export const packetSlots = 64;

/** Room for one frame: 64 KB of a segmented packet and every header before it. */
export const packetSlotBytes = 66 * 1024;

/** Room for one received netlink datagram: dumps come in pieces of at most 32 KB, notifications are far shorter. */
export const netlinkReceiveBytes = 64 * 1024;

/** Receive buffer of a netlink socket: room for a burst of some thousand notifications or acknowledgements. */
export const netlinkSocketBytes = 2 * 1024 * 1024;

/** Longest request of a synchronous connection. */
export const netlinkRequestBytes = 8 * 1024;

/** How long a synchronous request waits. Deleting a namespace's devices can hold the kernel's lock for seconds. */
export const netlinkSyncTimeoutMs = 10_000;

/** How often a dump that was interrupted by changes is run again before it is an error. */
export const netlinkDumpRetries = 8;

/** Requests of one datagram of a broker. More would let the answers overrun the receive buffer before they are read. */
export const netlinkBatchMax = 128;

/** Requests of a broker that wait at once. */
export const netlinkChunks = 1024;

/** Longest request of a broker: flows with masks stay below it. */
export const netlinkChunkBytes = 1024;

/** How long a broker's request waits for any message of its answer. */
export const netlinkTimeoutMs = 10_000;

/** Datagrams that a broker reads in one turn of the event loop; the rest comes at the next, after others had theirs. */
export const netlinkReadsMax = 256;

/** Wait before a datagram for which the kernel had no room is sent again. */
export const netlinkResendMs = 10;

/** Notifications kept for a slow reader of a stream; beyond it the reader is told of an overrun. */
export const netlinkStreamMax = 1024;

/** Wait before the links are listed again after that failed. */
export const linkMonitorRetryMs = 1000;

/** Pieces of an answer kept for a slow reader of a stream: more links or routes than a host has. */
export const netlinkAnswerMax = 65_536;
