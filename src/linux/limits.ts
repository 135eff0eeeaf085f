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
