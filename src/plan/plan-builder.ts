/** Append-only emitter of plans that stamps each instruction with its origin. */
import { TsrunError } from '../errors.ts'
import type {
  Condition,
  DataRef,
  Instruction,
  Operand,
  Operator,
  Slot,
  Width,
} from './instruction.ts'
import type { Architecture, Plan, Relocation } from './plan.ts'
import { MAX_PLAN_LENGTH, NO_SLOT } from './wire-format.ts'

export interface SysOptions {
  /** errno names that count as success; `*` alone means each. */
  readonly tolerate?: readonly string[]
  /** Slot for the result; without it a fresh one is made. */
  readonly into?: Slot
  readonly note?: string
}

/** A place further down that branches can name before it is known. */
export interface Label {
  readonly kind: 'label'
  readonly id: number
}

const NO_OPTIONS: SysOptions = Object.freeze({})
const NOTHING: readonly string[] = Object.freeze([])

/**
 * Builds one {@link Plan}. Descriptors are declared first, then instructions are appended in the
 * order in which they will run. Everything returned by {@link PlanBuilder.finish} is frozen.
 */
export class PlanBuilder {
  readonly architecture: Architecture
  readonly #instructions: Instruction[] = []
  /** Branches and the labels that they lead to: their targets are known at the end. */
  readonly #branches: { readonly index: number; readonly label: Label }[] = []
  readonly #slots: Slot[] = []
  readonly #descriptors: string[] = []
  readonly #relocations: Relocation[] = []
  readonly #strings = new Map<string, DataRef>()
  readonly #places: (number | undefined)[] = []
  #data = new Uint8Array(512)
  #length = 0
  #origin = ''

  constructor(architecture: Architecture) {
    this.architecture = architecture
  }

  /** Runs `emit` with `origin` (a JSON pointer into config.json) stamped on what it appends. */
  at<T>(origin: string, emit: () => T): T {
    const outer = this.#origin
    this.#origin = origin
    try {
      return emit()
    } finally {
      this.#origin = outer
    }
  }

  /** Declares the next descriptor that the starter hands over. All come before the first {@link slot}. */
  descriptor(name: string): Slot {
    if (this.#slots.length !== this.#descriptors.length) {
      throw new RangeError(`descriptor ${name} is declared after a slot`)
    }
    this.#descriptors.push(name)
    return this.slot(name)
  }

  /** Throws TsrunError `invalid-argument` when the plan has no room for another. */
  slot(name: string): Slot {
    if (this.#slots.length === NO_SLOT - 1) throw this.#tooLarge()
    const slot: Slot = { kind: 'slot', index: this.#slots.length, name }
    this.#slots.push(slot)
    return slot
  }

  /** The text with a final NUL, as UTF-8; equal texts share their bytes. */
  string(text: string): DataRef {
    const known = this.#strings.get(text)
    if (known !== undefined) return known
    if (text.includes('\0')) throw new RangeError(`a NUL byte in ${JSON.stringify(text)}`)
    const ref = this.#ascii(text) ?? this.bytes(Buffer.from(`${text}\0`), 1)
    this.#strings.set(text, ref)
    return ref
  }

  // Nearly every text is, and copying a few characters is quicker than asking for their encoding.
  #ascii(text: string): DataRef | undefined {
    const start = this.#length
    this.#grow(start + text.length + 1)
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return this.#forget(start)
      this.#data[start + i] = code
    }
    return this.zeros(text.length + 1, 1)
  }

  #forget(start: number): undefined {
    this.#data.fill(0, start)
  }

  /** A copy of `bytes` in the data segment. */
  bytes(bytes: Uint8Array, alignment = 8): DataRef {
    const ref = this.zeros(bytes.length, alignment)
    this.#data.set(bytes, ref.offset)
    return ref
  }

  /** `length` zero bytes: room for results, or for {@link store}. */
  zeros(length: number, alignment = 8): DataRef {
    const offset = Math.ceil(this.#length / alignment) * alignment
    this.#grow(offset + length)
    this.#length = offset + length
    return { kind: 'data', offset, length }
  }

  /** Little-endian 64-bit words; a {@link DataRef} becomes its address, undefined becomes NULL. */
  words(words: readonly (number | bigint | DataRef | undefined)[]): DataRef {
    const ref = this.zeros(words.length * 8)
    const view = new DataView(this.#data.buffer)
    let at = ref.offset
    for (const word of words) {
      if (typeof word === 'object') this.#relocations.push({ at, target: word.offset })
      else if (typeof word === 'bigint') view.setBigInt64(at, BigInt.asIntN(64, word), true)
      else if (word !== undefined) {
        view.setInt32(at, word | 0, true)
        view.setInt32(at + 4, Math.floor(word / 2 ** 32), true)
      }
      at += 8
    }
    return ref
  }

  /** A NULL-terminated array of strings, as execve(2) takes. */
  stringArray(texts: readonly string[]): DataRef {
    return this.words([...texts.map((text) => this.string(text)), undefined])
  }

  /** Appends the system call `name`; returns the slot with its result. */
  sys(name: string, args: readonly Operand[], options: SysOptions = NO_OPTIONS): Slot {
    const result = options.into ?? this.slot(`${name}_${this.#instructions.length}`)
    this.#sys(name, args, result, options)
    return result
  }

  /** Appends a system call whose result nobody reads. */
  run(
    name: string,
    args: readonly Operand[],
    options: Omit<SysOptions, 'into'> = NO_OPTIONS,
  ): void {
    this.#sys(name, args, undefined, options)
  }

  // Hundreds a plan, most of them before the code is optimized: one shape of object, made in one place.
  #sys(
    name: string,
    args: readonly Operand[],
    result: Slot | undefined,
    { tolerate = NOTHING, note }: SysOptions,
  ): void {
    this.#instructions.push({ op: 'sys', name, args, result, tolerate, origin: this.#origin, note })
  }

  label(): Label {
    this.#places.push(undefined)
    return { kind: 'label', id: this.#places.length - 1 }
  }

  /** The next instruction is where branches to `label` go on. */
  place(label: Label): void {
    if (this.#places[label.id] !== undefined) throw new RangeError('a label is placed twice')
    this.#places[label.id] = this.#instructions.length
  }

  branch(left: Operand, condition: Condition, right: Operand, label: Label): void {
    if (this.#places[label.id] !== undefined) throw new RangeError('a branch goes backwards')
    this.#branches.push({ index: this.#instructions.length, label })
    this.#push({ op: 'branch', condition, left, right, target: -1, origin: this.#origin })
  }

  jump(label: Label): void {
    this.branch(0, 'eq', 0, label)
  }

  compute(left: Operand, operator: Exclude<Operator, 'set'>, right: Operand, into?: Slot): Slot {
    const result = into ?? this.slot(`${operator}_${this.#instructions.length}`)
    this.#push({ op: 'compute', operator, result, left, right, origin: this.#origin })
    return result
  }

  set(result: Slot, value: Operand): void {
    this.#push({
      op: 'compute',
      operator: 'set',
      result,
      left: value,
      right: 0,
      origin: this.#origin,
    })
  }

  load(width: Width, from: DataRef, at = 0): Slot {
    const result = this.slot(`load_${this.#instructions.length}`)
    this.#push({ op: 'load', width, result, from: part(from, at, width), origin: this.#origin })
    return result
  }

  store(width: Width, to: DataRef, at: number, value: Operand): void {
    this.#push({ op: 'store', width, to: part(to, at, width), value, origin: this.#origin })
  }

  fail(error: Operand, note?: string): void {
    this.#push({ op: 'fail', error, origin: this.#origin, note })
  }

  exit(status: Operand): void {
    this.#push({ op: 'exit', status, origin: this.#origin })
  }

  /** The plan goes on in the file `from`, which holds what the builder has once it has gone on, too. */
  extend(from: Operand): void {
    this.#push({ op: 'extend', from, origin: this.#origin })
  }

  /** As clone3(2) of `args`; the child goes on behind this in the same memory. Returns the slot with the pid. */
  clone(args: DataRef): Slot {
    const result = this.slot(`clone3_${this.#instructions.length}`)
    this.#push({ op: 'clone', args, result, origin: this.#origin })
    return result
  }

  /** The plan so far. The builder can go on; branches of what it returned lead no further. */
  finish(): Plan {
    // The list is frozen, its instructions are readonly by type: freezing hundreds of objects would
    // cost as much as making them.
    const instructions = this.#instructions.slice()
    for (const { index, label } of this.#branches) this.#aim(instructions, index, label)
    return Object.freeze({
      architecture: this.architecture,
      instructions: Object.freeze(instructions),
      slots: Object.freeze([...this.#slots]),
      descriptors: Object.freeze([...this.#descriptors]),
      data: this.#data.slice(0, this.#length),
      relocations: Object.freeze([...this.#relocations]),
    })
  }

  #aim(instructions: Instruction[], index: number, label: Label): void {
    const branch = instructions[index]
    const target = this.#places[label.id]
    if (branch?.op !== 'branch') return
    if (target === undefined) throw new RangeError(`a label of ${branch.origin} is never placed`)
    instructions[index] = { ...branch, target }
  }

  #push(instruction: Instruction): void {
    this.#instructions.push(instruction)
  }

  // Told while it is built: a list of a million entries is not worth compiling to its end.
  #tooLarge(): TsrunError {
    const what = this.#origin === '' ? 'the config' : this.#origin
    return new TsrunError(
      'invalid-argument',
      `cannot compile ${what}: one container has room for ${NO_SLOT - 1} results and ${MAX_PLAN_LENGTH >> 20} MiB of text`,
      { hint: 'name fewer mounts, devices and paths, or make the texts shorter' },
    )
  }

  #grow(needed: number): void {
    if (needed <= this.#data.length) return
    if (needed > MAX_PLAN_LENGTH) throw this.#tooLarge()
    const grown = new Uint8Array(Math.max(needed, this.#data.length * 2))
    grown.set(this.#data)
    this.#data = grown
  }
}

/** The `length` bytes at `at` inside `ref`. */
export function part(ref: DataRef, at: number, length: number): DataRef {
  if (at + length > ref.length) throw new RangeError(`bytes ${at}+${length} of ${ref.length}`)
  return { kind: 'data', offset: ref.offset + at, length }
}
