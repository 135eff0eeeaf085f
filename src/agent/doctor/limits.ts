/** Questions that the doctor asks a peer with a frame as long as the way promises, before it says that the way is too narrow. */
export const PATH_PROBES = 3;
/** How long the doctor waits for each answer: far above the round trip within a data centre. */
export const PATH_PROBE_MS = 150;
/** Time between two looks whether the answer is there: the datapath takes it without telling. */
export const PATH_LOOK_MS = 5;
/** Peers whose ways are probed at once: some 100 KB on the underlay in one go. */
export const PATHS_AT_ONCE = 64;
