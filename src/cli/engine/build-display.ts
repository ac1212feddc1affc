/** Shows a build: docker's plain lines, each with the number of its step and the seconds since it began. */
import type { BuildProgress } from '../../engine/build/build-request.ts'
import { printable } from '../../errors.ts'
import { humanSize } from '../../util/size.ts'

/** Of a line of a command that never ends. */
const LONGEST_LINE = 64 * 1024
/** What a quiet build that fails shows of the step at least, in characters. */
const KEPT = 64 * 1024

interface Step {
  readonly name: string
  readonly start: number
  /** What of the last line has come. */
  rest: string
  /** The end of what was not shown, for the case that a quiet build fails. */
  unseen: string
}

export class BuildDisplay {
  readonly #write: (text: string) => void
  readonly #mode: 'plain' | 'quiet'
  readonly #steps = new Map<number, Step>()
  #shown = 0

  constructor(write: (text: string) => void, mode: 'plain' | 'quiet') {
    this.#write = write
    this.#mode = mode
  }

  show(event: BuildProgress): void {
    if (event.type === 'warning') {
      this.#write(`warning: ${printable(event.text)}\n`)
      return
    }
    const { id } = event
    if (event.type === 'step') {
      this.#steps.set(id, { name: event.name, start: performance.now(), rest: '', unseen: '' })
      this.#line(id, printable(event.name))
      return
    }
    const step = this.#steps.get(id)
    if (step === undefined) return
    if (event.type === 'output') this.#output(id, step, event.bytes)
    else if (event.type === 'pull') this.#pulled(id, event.event)
    else {
      if (step.rest !== '') this.#output(id, step, Buffer.from('\n'))
      this.#end(id, step, event)
    }
  }

  #output(id: number, step: Step, bytes: Buffer): void {
    const lines = `${step.rest}${bytes.toString()}`.split('\n')
    step.rest = lines.pop() ?? ''
    if (step.rest.length > LONGEST_LINE) {
      lines.push(step.rest)
      step.rest = ''
    }
    const seconds = ((performance.now() - step.start) / 1000).toFixed(3)
    for (const line of lines) {
      // A program that draws a bar overwrites its line: only the last state is shown.
      const last = line.replace(/\r+$/, '').split('\r').at(-1) ?? ''
      this.#line(id, `${seconds} ${printable(last)}`)
    }
  }

  #pulled(id: number, event: Extract<BuildProgress, { type: 'pull' }>['event']): void {
    if (event.type !== 'layer' || event.phase !== 'done') return
    this.#line(id, `${event.digest} ${humanSize(event.size, 3)}`)
  }

  #end(id: number, step: Step, { how, seconds }: Extract<BuildProgress, { type: 'done' }>): void {
    if (how === 'failed' && this.#mode === 'quiet') this.#write(lastLines(step.unseen, KEPT))
    const word = { cached: 'CACHED', done: `DONE ${seconds.toFixed(1)}s`, failed: 'ERROR' }[how]
    this.#line(id, word)
    this.#steps.delete(id)
  }

  #line(id: number, text: string): void {
    const line = `#${id} ${text}\n`
    if (this.#mode === 'quiet') {
      const step = this.#steps.get(id)
      if (step === undefined) return
      const unseen = step.unseen + line
      // Not with each line: a copy of all of it is made.
      step.unseen = unseen.length > 2 * KEPT ? unseen.slice(-KEPT - 1) : unseen
      return
    }
    if (this.#shown !== id && this.#shown !== 0) this.#write('\n')
    this.#shown = id
    this.#write(line)
  }
}

// The first line of a cut is no whole one.
function lastLines(text: string, most: number): string {
  if (text.length <= most) return text
  const end = text.slice(-most - 1)
  return `[earlier lines are left out]\n${end.slice(end.indexOf('\n') + 1)}`
}
