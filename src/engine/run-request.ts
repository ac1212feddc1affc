/** What a caller asks for when it runs a container. */
import type { SpecOptions } from '../spec/spec-input.ts'

/** The options that make config.json, and the ones that only the engine needs. */
export interface RunRequest extends SpecOptions {
  /** Reference of an image; empty when {@link rootfs} is given. */
  readonly image: string
  /** Absolute path of a root filesystem, used as it is, instead of an image. */
  readonly rootfs?: string | undefined
  readonly name?: string | undefined
  /** When to fetch the image; `missing` by default. */
  readonly pull?: 'always' | 'missing' | 'never' | undefined
  readonly platform?: string | undefined
  /** `key[=value]`. */
  readonly labels?: readonly string[] | undefined
  readonly stopSignal?: string | undefined
  /** Seconds from the stop signal to SIGKILL. */
  readonly stopTimeout?: number | undefined
  /** Keep stdin open. */
  readonly interactive?: boolean | undefined
  /** Remove the container when it has ended. */
  readonly autoRemove?: boolean | undefined
}
