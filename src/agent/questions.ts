import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import type { FromWorker, ToWorker } from "./core/messages.ts";
import { ANSWER_MS, QUESTIONS_MAX } from "./limits.ts";

type Answer = Extract<FromWorker, { readonly kind: "flows" | "trace" }>;
type Ask = Extract<ToWorker, { readonly kind: "ask-flows" | "ask-trace" }>;
/** A question before it has its number. */
export type Question = Ask extends infer A ? (A extends Ask ? Omit<A, "request"> : never) : never;

/** Why a question has no answer. */
export type QuestionError = "too-many-questions" | "no-answer-in-time";

interface Open {
  readonly answers: Answer[];
  readonly timer: Timer;
  finish(result: Result<readonly Answer[], QuestionError>): void;
}

/** Questions of the agent's API to the workers, each with a number, a deadline and as many answers as there are workers. */
export class Questions {
  readonly #scheduler: Scheduler;
  readonly #workers: number;
  readonly #send: (messages: readonly ToWorker[]) => void;
  readonly #open = new Map<number, Open>();
  #next = 1;

  constructor(options: {
    readonly scheduler: Scheduler;
    readonly workers: number;
    send(messages: readonly ToWorker[]): void;
  }) {
    this.#scheduler = options.scheduler;
    this.#workers = options.workers;
    this.#send = (messages) => options.send(messages);
  }

  /** Asks all workers; resolves with their answers in order of arrival. */
  ask(question: Question): Promise<Result<readonly Answer[], QuestionError>> {
    if (this.#open.size >= QUESTIONS_MAX) return Promise.resolve(err("too-many-questions"));
    const request = this.#next++;
    return new Promise((resolve) => {
      const finish: Open["finish"] = (result) => {
        this.#open.delete(request);
        resolve(result);
      };
      const timer = this.#scheduler.after(ANSWER_MS, () => finish(err("no-answer-in-time")));
      this.#open.set(request, { answers: [], timer, finish });
      this.#send([{ ...question, request } as Ask]);
    });
  }

  /** Takes an answer; late ones are forgotten. */
  answer(message: Answer): void {
    const open = this.#open.get(message.request);
    if (open === undefined) return;
    open.answers.push(message);
    if (open.answers.length < this.#workers) return;
    open.timer.cancel();
    open.finish(ok(open.answers));
  }
}
