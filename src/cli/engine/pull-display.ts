/** Shows a pull, a push or a load: a bar a layer on a terminal, one line a layer elsewhere. */
import type { WriteStream } from 'node:tty'
import type { PullProgress } from '../../engine/pull-image.ts'
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

/** What is used of log-update: it draws some lines again and again, and clips them to the terminal. */
type Screen = ReturnType<typeof import('log-update')['createLogUpdate']>

export class PullDisplay implements Disposable {
  readonly #stream: WriteStream
  readonly #mode: 'quiet' | 'lines' | 'bars'
  readonly #layers = new Map<string, LayerEvent>()
  #screen: Screen | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(stream: WriteStream, quiet: boolean) {
    this.#stream = stream
    // A terminal of no width is one whose size nobody has set.
    const draws = stream.isTTY && stream.columns > 0 && process.env.TERM !== 'dumb'
    this.#mode = quiet ? 'quiet' : draws ? 'bars' : 'lines'
  }

  show(event: Event): void {
    if (this.#mode === 'quiet' || event.type === 'resolved') return
    const before = this.#layers.get(event.digest)?.phase
    this.#layers.set(event.digest, event)
    if (this.#mode === 'bars') this.#timer ??= setTimeout(() => void this.#redraw(), REDRAW_MS)
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

  /** Draws the last state, which stays on the terminal. */
  async end(): Promise<void> {
    if (this.#mode !== 'bars' || this.#layers.size === 0) return
    await this.#redraw()
    this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#screen === undefined) return
    this.#draw(this.#screen)
    this.#screen.done()
    this.#screen = undefined
    this.#layers.clear()
  }

  async #redraw(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#screen ??= await openScreen(this.#stream)
    this.#draw(this.#screen)
  }

  #draw(screen: Screen): void {
    screen([...this.#layers.values()].map(lineOf).join('\n'))
  }
}

// Only where there is something to draw. The cursor stays: hiding it would take handlers for signals, which are
// the container's.
async function openScreen(stream: WriteStream): Promise<Screen> {
  const { createLogUpdate } = await import('log-update')
  return createLogUpdate(stream, { showCursor: true })
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
