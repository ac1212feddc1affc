/** A terminal for a command under test: what a person at a keyboard would type and see. */
import { type ChildProcess, spawn } from 'node:child_process'
import { until } from './until.ts'

// Python is on every Debian that builds this; its pty module is openpty(3) and login_tty(3).
const SCRIPT = `
import fcntl, os, pty, select, struct, sys, termios
rows, columns = int(sys.argv[1]), int(sys.argv[2])
pid, master = pty.fork()
if pid == 0:
    size = struct.pack('HHHH', rows, columns, 0, 0)
    fcntl.ioctl(0, termios.TIOCSWINSZ, size)
    os.execv(sys.argv[3], sys.argv[3:])
while True:
    ready, _, _ = select.select([0, master], [], [])
    if master in ready:
        try: data = os.read(master, 65536)
        except OSError: break
        if not data: break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 65536)
        # The test is gone: closing the master hangs the command up.
        if not data: sys.exit(1)
        for part in data.split(b'\\x00'):
            if part.startswith(b'size '):
                r, c = part[5:].split()
                fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', int(r), int(c), 0, 0))
            elif part: os.write(master, part)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
`

export class Terminal {
  readonly #child: ChildProcess
  #text = ''

  constructor(command: readonly string[], rows = 24, columns = 80) {
    this.#child = spawn('python3', ['-c', SCRIPT, String(rows), String(columns), ...command], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child.stdout?.on('data', (chunk) => {
      this.#text += chunk
    })
  }

  get text(): string {
    return this.#text
  }

  /** Waits until the screen shows `text` after what was asked for before. */
  async shows(text: string): Promise<void> {
    await until(`the terminal shows ${JSON.stringify(text)} in ${JSON.stringify(this.#text)}`, () =>
      this.#text.includes(text),
    )
    this.#text = this.#text.slice(this.#text.indexOf(text) + text.length)
  }

  type(text: string): void {
    this.#child.stdin?.write(text)
  }

  resize(rows: number, columns: number): void {
    this.type(`\0size ${rows} ${columns}\0`)
  }

  /** Resolves to the exit code. */
  async end(): Promise<number | null> {
    return await new Promise((resolve) => {
      if (this.#child.exitCode !== null) resolve(this.#child.exitCode)
      else this.#child.once('close', resolve)
    })
  }
}
