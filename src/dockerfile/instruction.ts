/**
 * What a Dockerfile says, as data: the result of parsing it. Words are as they stand in the file, with quotes
 * and variables: expand-word.ts takes both away when the stage is built and their values are known.
 */

/** A here-document: `<<EOF`, with the lines up to its end. */
export interface Heredoc {
  /** `EOF` of `<<EOF`: the name of the file that COPY makes. */
  readonly name: string
  readonly content: string
  /** Variables in it are replaced: its name stands without quotes. */
  readonly expand: boolean
}

/** What every instruction has. */
export interface Written {
  /** Where it starts in the file, from 1. */
  readonly line: number
  /** The instruction in one line, as written: for progress, history and messages. */
  readonly text: string
}

/** `["a", "b"]` is run as it is, anything else by the shell of the stage. */
export type Command =
  | { readonly form: 'exec'; readonly words: readonly string[] }
  | { readonly form: 'shell'; readonly script: string; readonly heredocs: readonly Heredoc[] }

/** `NAME=value` of ENV, LABEL and ARG, both sides unexpanded; undefined is an ARG without default. */
export interface Pair {
  readonly name: string
  readonly value: string | undefined
}

export interface From extends Written {
  readonly kind: 'FROM'
  readonly image: string
  /** `AS name`, in lower case. */
  readonly stage: string | undefined
  readonly platform: string | undefined
}

export interface Run extends Written {
  readonly kind: 'RUN'
  readonly command: Command
  /** Values of `--mount`, in order. */
  readonly mounts: readonly string[]
  readonly network: string | undefined
  readonly security: string | undefined
}

export interface Copy extends Written {
  readonly kind: 'COPY' | 'ADD'
  /** What comes from files, in order; here-documents are apart. */
  readonly sources: readonly string[]
  readonly heredocs: readonly Heredoc[]
  readonly destination: string
  readonly from: string | undefined
  readonly chown: string | undefined
  readonly chmod: string | undefined
  readonly link: boolean
  readonly parents: boolean
  readonly excludes: readonly string[]
  /** Of ADD: what a download must have. */
  readonly checksum: string | undefined
}

export interface Settings extends Written {
  readonly kind: 'ENV' | 'LABEL' | 'ARG'
  readonly pairs: readonly Pair[]
}

export interface Words extends Written {
  readonly kind: 'EXPOSE' | 'VOLUME'
  readonly words: readonly string[]
}

export interface Text extends Written {
  readonly kind: 'USER' | 'WORKDIR' | 'STOPSIGNAL' | 'MAINTAINER'
  readonly value: string
}

export interface DefaultCommand extends Written {
  readonly kind: 'CMD' | 'ENTRYPOINT'
  readonly command: Command
}

export interface Shell extends Written {
  readonly kind: 'SHELL'
  readonly words: readonly string[]
}

export interface Healthcheck extends Written {
  readonly kind: 'HEALTHCHECK'
  /** Undefined is `NONE`. */
  readonly command: Command | undefined
  /** `interval`, `timeout`, `start-period`, `start-interval`, `retries`, as written. */
  readonly options: ReadonlyMap<string, string>
}

export interface OnBuild extends Written {
  readonly kind: 'ONBUILD'
  /** The instruction for later, as it goes into the image. */
  readonly trigger: string
}

/** What may stand below FROM. */
export type Instruction =
  | Run
  | Copy
  | Settings
  | Words
  | Text
  | DefaultCommand
  | Shell
  | Healthcheck
  | OnBuild

export interface Stage {
  readonly from: From
  readonly instructions: readonly Instruction[]
}

export interface Dockerfile {
  /** How it is called in messages. */
  readonly file: string
  readonly escapeChar: '\\' | '`'
  /** ARGs before the first FROM. */
  readonly globalArgs: readonly Settings[]
  readonly stages: readonly Stage[]
}
