/** Descriptors reported by one `EpollSet.wait`. A worker waits for at most 16 rings, a state ring and an eventfd. */
export const epollEventsMax = 32;
