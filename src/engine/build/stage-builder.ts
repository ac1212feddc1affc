/** Builds the stages that a target needs, each once and only when something asks for it. */
import { cited, dockerfileError, type Place } from '../../dockerfile/dockerfile-error.ts'
import { expandWord, type Lookup } from '../../dockerfile/expand-word.ts'
import type { From, Instruction, Stage } from '../../dockerfile/instruction.ts'
import { parseTrigger } from '../../dockerfile/parse-dockerfile.ts'
import { applyInstruction } from '../../dockerfile/stage-config.ts'
import { TsrunError } from '../../errors.ts'
import { formatPlatform, parsePlatform, samePlatform } from '../../oci/platform.ts'
import { emptyStage, findImage, stageOn } from './base-image.ts'
import type { BuildArguments } from './build-arguments.ts'
import type { BuildSession } from './build-session.ts'
import type { ContextFolder } from './context-folder.ts'
import { copyStep } from './copy-step.ts'
import { withHistory } from './layer-step.ts'
import { runStep, type StepContext } from './run-step.ts'
import type { StageResult } from './stage-result.ts'
import type { TreeSource } from './stage-source.ts'
import { workdirStep } from './workdir-step.ts'

export class StageBuilder {
  readonly #session: BuildSession
  readonly #args: BuildArguments
  readonly #context: ContextFolder | undefined
  readonly #stages: readonly Stage[]
  readonly #built = new Map<number, Promise<StageResult>>()
  readonly #images = new Map<string, Promise<StageResult>>()

  constructor(session: BuildSession, args: BuildArguments, context: ContextFolder | undefined) {
    this.#session = session
    this.#args = args
    this.#context = context
    this.#stages = session.dockerfile.stages
  }

  /** The stage with this name or number, or the last one. */
  async build(target: string | undefined): Promise<StageResult> {
    const index =
      target === undefined ? this.#stages.length - 1 : this.#find(target, this.#stages.length)
    if (index === undefined)
      throw new TsrunError(
        'invalid-argument',
        `cannot build the target ${cited(target ?? '')}: ${this.#session.dockerfile.file} has no such stage`,
      )
    return await this.#stage(index)
  }

  // Whoever asks for a stage comes after it in the file: there is no circle.
  #stage(index: number): Promise<StageResult> {
    const known = this.#built.get(index) ?? this.#make(index)
    this.#built.set(index, known)
    return known
  }

  async #make(index: number): Promise<StageResult> {
    const stage = this.#stages[index]
    if (stage === undefined) throw new RangeError(`there is no stage ${index}`)
    const { from } = stage
    const base = await this.#base(index, from)
    const { OnBuild: triggers = [], ...process } = base.config.process
    const inherited = triggers.map((text) => parseTrigger(text, from.image))
    const instructions = [...inherited, ...stage.instructions]
    let result: StageResult = { ...base, config: { ...base.config, process } }
    const total = 1 + instructions.filter(makesFiles).length
    let number = 1
    for (const instruction of instructions) {
      if (makesFiles(instruction)) number++
      const name = `[${this.#nameOf(index)}${number}/${total}] ${instruction.text}`
      result = await this.#step(result, instruction, { index, name })
    }
    return result
  }

  // Without what the base image adds by ONBUILD, which is not known yet.
  #total(index: number): number {
    return 1 + (this.#stages[index]?.instructions.filter(makesFiles).length ?? 0)
  }

  #nameOf(index: number): string {
    if (this.#stages.length === 1) return ''
    return `${this.#stages[index]?.from.stage ?? `stage-${index}`} `
  }

  async #base(index: number, from: From): Promise<StageResult> {
    const place = this.#place(from)
    const lookup: Lookup = (name) => this.#args.global(name)
    const options = { escapeChar: this.#session.dockerfile.escapeChar, place }
    const image = expandWord(from.image, lookup, options)
    if (image === '')
      throw dockerfileError(place, `${cited(from.image)} is empty with its variables replaced`)
    if (from.platform !== undefined)
      this.#checkPlatform(expandWord(from.platform, lookup, options), place)
    const earlier = this.#findNamed(image, index)
    if (earlier !== undefined) {
      const { config, ...stage } = await this.#stage(earlier)
      // ARGs end with their stage, and a CMD of another stage is as one of a base image.
      return { ...stage, config: { ...config, args: new Map(), hasCommand: false } }
    }
    if (image === 'scratch') return emptyStage(this.#session, this.#session.now())
    return await this.#image(image, `[${this.#nameOf(index)}1/${this.#total(index)}] FROM ${image}`)
  }

  #image(image: string, name: string): Promise<StageResult> {
    const session = this.#session
    const known =
      this.#images.get(image) ??
      session.step(name, async (id) => {
        let isFetched = false
        const found = await findImage(session, image, (event) => {
          isFetched = true
          session.request.onProgress({ type: 'pull', id, event })
        })
        return { cached: !isFetched, result: stageOn(found) }
      })
    this.#images.set(image, known)
    return known
  }

  async #step(
    before: StageResult,
    instruction: Instruction,
    { index, name }: { readonly index: number; readonly name: string },
  ): Promise<StageResult> {
    const { session, context } = { session: this.#session, context: this.#context }
    const step: StepContext = {
      ...{ session, context, name },
      sourceOf: (from) => this.#sourceOf(from, index),
    }
    try {
      if (instruction.kind === 'RUN') return await runStep(step, before, instruction)
      if (instruction.kind === 'COPY' || instruction.kind === 'ADD')
        return await copyStep(step, before, instruction)
      const { file, escapeChar } = session.dockerfile
      const argument = (asked: string) => this.#args.given(asked)
      const inherited = (asked: string) => this.#args.global(asked)
      const config = applyInstruction(before.config, instruction, {
        ...{ file, escapeChar, argument, inherited },
      })
      const after = { ...before, config }
      if (instruction.kind === 'WORKDIR')
        return await workdirStep(step, after, `WORKDIR ${config.process.WorkingDir}`)
      return withHistory(after, instruction.text)
    } catch (cause) {
      session.request.signal?.throwIfAborted()
      throw stepError(this.#place(instruction), cause)
    }
  }

  async #sourceOf(from: string, index: number): Promise<TreeSource> {
    const earlier = this.#find(from, index)
    if (earlier !== undefined) {
      const { chainIds } = await this.#stage(earlier)
      return { name: `stage "${from}"`, chainIds }
    }
    const { chainIds } = await this.#image(from, `[from ${from}]`)
    return { name: `image "${from}"`, chainIds }
  }

  #find(text: string, before: number): number | undefined {
    if (/^\d{1,6}$/.test(text) && Number(text) < before) return Number(text)
    return this.#findNamed(text, before)
  }

  #findNamed(text: string, before: number): number | undefined {
    const index = this.#stages.findIndex(({ from }) => from.stage === text.toLowerCase())
    return index === -1 || index >= before ? undefined : index
  }

  #checkPlatform(text: string, place: Place): void {
    const { platform } = this.#session
    if (samePlatform(parsePlatform(text, platform), platform)) return
    throw dockerfileError(
      place,
      `FROM --platform=${text} is not the platform of the build, ${formatPlatform(platform)}`,
    )
  }

  #place({ line }: { readonly line: number }): Place {
    return { file: this.#session.dockerfile.file, line }
  }
}

function makesFiles({ kind }: Instruction): boolean {
  return ['RUN', 'COPY', 'ADD', 'WORKDIR'].includes(kind)
}

// What is wrong with the Dockerfile says where already.
function stepError({ file, line }: Place, cause: unknown): unknown {
  if (cause instanceof TsrunError && cause.message.startsWith('cannot use ')) {
    if (cause.message.includes(`${file}:${line}: `)) return cause
  }
  const kind = cause instanceof TsrunError ? cause.kind : 'internal'
  const exitCode = cause instanceof TsrunError ? cause.exitCode : undefined
  return new TsrunError(kind, `cannot build ${file}:${line}`, {
    cause,
    ...(exitCode === undefined ? {} : { exitCode }),
  })
}
