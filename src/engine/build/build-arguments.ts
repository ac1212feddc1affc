/** Values of build arguments: from the command line, from the ARGs before the first FROM, and from the machine. */
import { expandWord } from '../../dockerfile/expand-word.ts'
import { formatPlatform, type Platform } from '../../oci/platform.ts'
import type { BuildSession } from './build-session.ts'

export class BuildArguments {
  readonly #session: BuildSession
  readonly #machine: ReadonlyMap<string, string>
  /** What `global` knows of the file itself. */
  readonly #globals = new Map<string, string>()

  constructor(session: BuildSession) {
    this.#session = session
    this.#machine = platformArguments(session.platform)
    const { globalArgs, escapeChar, file } = session.dockerfile
    for (const { pairs, line } of globalArgs) {
      for (const { name, value } of pairs) {
        const options = { escapeChar, place: { file, line } }
        const fallback =
          value === undefined
            ? undefined
            : expandWord(value, (asked) => this.global(asked), options)
        const known = this.#given(name) ?? fallback
        if (known !== undefined) this.#globals.set(name, known)
      }
    }
  }

  /** For FROM and for ARGs before it. */
  global(name: string): string | undefined {
    return this.#globals.get(name) ?? this.#machine.get(name)
  }

  /** What the command line says an ARG of a stage is. */
  given(name: string): string | undefined {
    return this.#given(name)
  }

  /** Names from the command line that nothing has asked for. */
  unused(): readonly string[] {
    const { request, usedArgs } = this.#session
    return [...request.args.keys()].filter((name) => !usedArgs.has(name) && !isPredefined(name))
  }

  #given(name: string): string | undefined {
    this.#session.usedArgs.add(name)
    return this.#session.request.args.get(name)
  }
}

function isPredefined(name: string): boolean {
  return /^(https?|ftp|no|all)_proxy$/i.test(name) || name === 'SOURCE_DATE_EPOCH'
}

function platformArguments(platform: Platform): ReadonlyMap<string, string> {
  const { os, architecture, variant = '' } = platform
  return new Map(
    ['TARGET', 'BUILD'].flatMap((prefix): [string, string][] => [
      [`${prefix}PLATFORM`, formatPlatform(platform)],
      [`${prefix}OS`, os],
      [`${prefix}ARCH`, architecture],
      [`${prefix}VARIANT`, variant],
    ]),
  )
}
