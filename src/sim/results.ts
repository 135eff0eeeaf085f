import type { DropReason } from "../flow/drop-reason.ts";
import { ACTION_WORDS } from "../flow/layout.ts";
import type { TagList } from "../flow/tag-index.ts";
import { networkLengthOf } from "./fit.ts";
import type {
  ConsumeResult,
  DropResult,
  EmittedFrame,
  ForwardResult,
  NeedsFrameResult,
  SimResult,
  StateWrite,
  WaitOn,
  WaitResult,
  WalkFacts,
} from "./result.ts";
import { STEP, type Step } from "./step.ts";
import type { Walk } from "./walk.ts";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const NO_FRAGMENTS: readonly Uint8Array[] = [];

/** The results of one simulator: one object a kind, filled anew from the walk each time. */
export class Results {
  readonly #walk: Walk;
  readonly #facts: Facts;
  readonly #wait: Mutable<WaitResult>;
  readonly #consume: ConsumeResult;
  readonly #drop: Mutable<DropResult>;
  readonly #forward: Mutable<ForwardResult>;
  readonly #needsFrame: NeedsFrameResult;

  constructor(walk: Walk) {
    const facts = new Facts(walk);
    const on: WaitOn = { kind: "topology", ids: [] };
    const reason: DropReason = "unsupported";
    this.#walk = walk;
    this.#facts = facts;
    this.#wait = { kind: "wait", facts, on };
    this.#consume = { kind: "consume", facts };
    this.#drop = { kind: "drop", facts, reason, isTemporary: false, isTransient: false };
    this.#forward = {
      kind: "forward",
      facts,
      action: new Uint32Array(ACTION_WORDS),
      outputs: walk.outputs,
      isTransient: false,
      fit: "fits",
      networkLength: 0,
      fragments: NO_FRAGMENTS,
    };
    this.#needsFrame = { kind: "needs-frame", facts };
  }

  /** The result of a walk that ended with `step`. */
  of(step: Step, fit: ForwardResult["fit"]): SimResult {
    const walk = this.#walk;
    this.#facts.take();
    switch (step) {
      case STEP.forward:
        return this.#forwarded(fit, NO_FRAGMENTS);
      case STEP.drop:
        this.#drop.reason = walk.reason;
        this.#drop.isTemporary = walk.isTemporary;
        this.#drop.isTransient = walk.isTransient || walk.tags.isOverLimit;
        return this.#drop;
      case STEP.wait:
        this.#wait.on = walk.wait;
        return this.#wait;
      case STEP.consume:
        return this.#consume;
      default:
        return this.#needsFrame;
    }
  }

  /** A forward with fragments in place of the frame. */
  ofFragments(fragments: readonly Uint8Array[]): SimResult {
    this.#facts.take();
    return this.#forwarded("fits", fragments);
  }

  #forwarded(fit: ForwardResult["fit"], fragments: readonly Uint8Array[]): ForwardResult {
    const walk = this.#walk;
    const forward = this.#forward;
    const { outputs } = walk;
    walk.packet.writeAction(forward.action);
    if (outputs.count === 1) {
      forward.action[0] = (forward.action[0] as number) | (outputs.vlanOps[0] as number);
      forward.action[7] = outputs.vlanTags[0] as number;
    }
    forward.isTransient = walk.isTransient || walk.tags.isOverLimit;
    forward.fit = fit;
    forward.networkLength = networkLengthOf(walk);
    forward.fragments = fragments;
    return forward;
  }
}

class Facts implements WalkFacts {
  level = 0;
  routers = 0;
  readonly tags: TagList;
  frames: readonly EmittedFrame[] = [];
  writes: readonly StateWrite[] = [];
  readonly #walk: Walk;

  constructor(walk: Walk) {
    this.#walk = walk;
    this.tags = walk.tags;
  }

  take(): void {
    this.level = this.#walk.packet.level;
    this.routers = this.#walk.packet.ttlDecrement;
    this.frames = this.#walk.frames;
    this.writes = this.#walk.writes;
  }
}
