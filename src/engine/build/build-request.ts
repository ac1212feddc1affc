/** What a build is asked for, and what it tells meanwhile. */
import type { PullProgress } from '../container-image.ts'

/** Where a secret comes from. */
export type SecretSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'env'; readonly name: string }

export interface BuildRequest {
  readonly dockerfile: {
    /** How it is called in messages. */
    readonly name: string
    readonly text: string
    /** Of its file, for a .dockerignore of its own; undefined when it came from elsewhere. */
    readonly path: string | undefined
  }
  /** The folder that COPY and ADD take from; undefined for none. */
  readonly context: string | undefined
  /** Names for the image, as users write them. */
  readonly tags: readonly string[]
  readonly args: ReadonlyMap<string, string>
  readonly labels: ReadonlyMap<string, string>
  /** Name or number of a stage; the last one when undefined. */
  readonly target: string | undefined
  readonly platform: string | undefined
  readonly noCache: boolean
  readonly pull: 'always' | 'missing' | 'never'
  /** `bridge`, `host`, `none` or the name of a network, for RUN. */
  readonly network: string
  readonly secrets: ReadonlyMap<string, SecretSource>
  /** Seconds since 1970 that no time in the image is after (SOURCE_DATE_EPOCH). */
  readonly epoch: number | undefined
  readonly signal: AbortSignal | undefined
  readonly onProgress: (event: BuildProgress) => void
}

export type BuildProgress =
  /** A step begins; `name` is as in `[build 2/5] RUN make`. */
  | { readonly type: 'step'; readonly id: number; readonly name: string }
  | { readonly type: 'output'; readonly id: number; readonly bytes: Buffer }
  | { readonly type: 'pull'; readonly id: number; readonly event: PullProgress }
  | {
      readonly type: 'done'
      readonly id: number
      readonly how: 'done' | 'cached' | 'failed'
      readonly seconds: number
    }
  /** Something that has no effect or is not as it may seem. */
  | { readonly type: 'warning'; readonly text: string }

export interface BuiltImage {
  readonly id: string
  /** Whole names. */
  readonly names: readonly string[]
}
