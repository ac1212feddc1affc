/** Shows a pull or a push: a bar a layer on a terminal, one line a layer elsewhere. */
import type { WriteStream } from 'node:tty'
import type { PullProgress } from '../../engine/images.ts'
import type { PushProgress } from '../../engine/push-image.ts'
import { humanSize } from '../../util/size.ts'

type LayerEvent = Extract<PullProgress | PushProgress, { type: 'layer' }>
type Event = PullProgress | Exclude<PushProgress, { type: 'single-platform' }>

const REDRAW_MS = 100
const BAR_WIDTH = 30
const WORDS: Readonly<Record<LayerEvent['phase'], string>> = {
  waiting: 'waiting',
  downloading: 'downloading',
  uploading: 'uploading',
  unpacking: 'unpacking',
  done: 'done',
  exists: 'exists already',
  mounted: 'mounted from another repository',
}

export class PullDisplay implements Disposable {
  readonly #stream: WriteStream
  readonly #mode: 'quiet' | 'lines' | 'bars'
  readonly #layers = new Map<string, LayerEvent>()
  #drawn = 0
  #timer: NodeJS.Timeout | undefined

  constructor(stream: WriteStream, quiet: boolean) {
    this.#stream = stream
    this.#mode = quiet ? 'quiet' : stream.isTTY && process.env.TERM !== 'dumb' ? 'bars' : 'lines'
  }

  show(event: Event): void {
    if (this.#mode === 'quiet' || event.type === 'resolved') return
    const before = this.#layers.get(event.digest)?.phase
    this.#layers.set(event.digest, event)
    if (this.#mode === 'bars') this.#timer ??= setTimeout(() => this.#draw(), REDRAW_MS)
    else if (
      before !== event.phase &&
      event.phase !== 'waiting' &&
      event.phase !== 'unpacking' &&
      event.phase !== 'uploading'
    ) {
      this.#stream.write(
        `${shortDigest(event.digest)}: ${WORDS[event.phase]} (${humanSize(event.size, 3)})\n`,
      )
    }
  }

  /** Draws what is the last state. */
  end(): void {
    if (this.#mode === 'bars') this.#draw()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }

  #draw(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const width = this.#stream.columns || 80
    const lines = [...this.#layers.values()].map(
      (layer) => `\x1b[2K${lineOf(layer).slice(0, width - 1)}\n`,
    )
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A`
    this.#stream.write(`${up}${lines.join('')}`)
    this.#drawn = lines.length
  }
}

function lineOf({ digest, phase, bytes, size }: LayerEvent): string {
  const name = shortDigest(digest)
  if (phase !== 'downloading' && phase !== 'uploading') return `${name}  ${WORDS[phase]}`
  const filled = size === 0 ? BAR_WIDTH : Math.floor((bytes / size) * BAR_WIDTH)
  const bar = `[${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}]`
  return `${name}  ${bar} ${humanSize(bytes, 3)} / ${humanSize(size, 3)}`
}

function shortDigest(digest: string): string {
  return digest.replace(/^\w+:/, '').slice(0, 12)
}
