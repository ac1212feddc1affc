/**
 * Makes an executable start with an empty environment and in a directory that is there, whatever its caller
 * gave it.
 *
 * Bun's runtime acts on some hundred variables before the first line of a program: BUN_BE_BUN turns a
 * compiled program into the bun command, BUN_OPTIONS=--preload runs any file. tsrun is started by root
 * in environments that others have a hand in. So the first instructions of the executable, which the
 * dynamic loader jumps to, end the list of variables before its first entry. The strings stay where the
 * kernel put them: the program reads its environment from /proc/self/environ (proc(5)).
 */
const PT_LOAD = 1
const PF_X = 1
const EM = { x86_64: 62, aarch64: 183 }
const ROOM = 64

/**
 * Machine code for `offset` bytes before the old entry. The stack is {argc, argv…, NULL, envp…}, and rdx or
 * x0 is the old entry's (System V ABI). Where the working directory was removed, as a shim's often is when
 * its first container is gone, Bun would refuse to start: nothing relative can be reached from there, so / will do.
 */
const CODE = {
  x86_64: (offset) => {
    const code = Buffer.from([
      ...[0x48, 0x8b, 0x04, 0x24], // mov (%rsp), %rax
      ...[0x48, 0xc7, 0x44, 0xc4, 0x10, 0, 0, 0, 0], // movq $0, 16(%rsp, %rax, 8)
      ...[0x48, 0x8d, 0xbc, 0x24, 0x00, 0xf0, 0xff, 0xff], // lea -4096(%rsp), %rdi
      ...[0xbe, 0x00, 0x10, 0x00, 0x00], // mov $4096, %esi
      ...[0xb8, 79, 0, 0, 0], // mov $SYS_getcwd, %eax
      ...[0x0f, 0x05], // syscall
      ...[0x83, 0xf8, 0xfe], // cmp $-ENOENT, %eax
      ...[0x75, 0x0e], // jne 1f
      ...[0x48, 0x8d, 0x3d, 0x0c, 0, 0, 0], // lea 2f(%rip), %rdi
      ...[0xb8, 80, 0, 0, 0], // mov $SYS_chdir, %eax
      ...[0x0f, 0x05], // syscall
      ...[0xe9, 0, 0, 0, 0], // 1: jmp
      ...[0x2f, 0], // 2: "/"
    ])
    const after = code.length - 2
    code.writeInt32LE(offset - after, after - 4)
    return code
  },
  aarch64: (offset) => {
    const words = [
      0xf94003e9, // ldr x9, [sp]
      0x8b296fe9, // add x9, sp, x9, lsl #3
      0xf900093f, // str xzr, [x9, #16]
      0xaa0003e9, // mov x9, x0
      0xd14007e0, // sub x0, sp, #4096
      0xd2820001, // mov x1, #4096
      0xd2800228, // mov x8, #SYS_getcwd
      0xd4000001, // svc #0
      0xb100081f, // cmn x0, #ENOENT
      0x54000081, // b.ne 1f
      0x100000a0, // adr x0, 2f
      0xd2800628, // mov x8, #SYS_chdir
      0xd4000001, // svc #0
      0xaa0903e0, // 1: mov x0, x9
      0x14000000, // b
      0x0000002f, // 2: "/"
    ]
    const branch = words.indexOf(0x14000000)
    words[branch] |= ((offset - branch * 4) >> 2) & 0x3ffffff
    const code = Buffer.alloc(words.length * 4)
    words.forEach((word, i) => {
      code.writeUInt32LE(word >>> 0, i * 4)
    })
    return code
  },
}

/** Changes the ELF file in `image`. Throws when it has no room for the instructions. */
export function blankEnvironment(image, architecture) {
  if (image.readUInt32BE(0) !== 0x7f454c46 || image.readUInt16LE(18) !== EM[architecture])
    throw new Error(`this is no ELF executable for ${architecture}`)
  const headers = programHeaders(image)
  const text = headers.find(({ type, flags }) => type === PT_LOAD && (flags & PF_X) !== 0)
  const at = text.offset - ROOM
  // The code goes before the first instruction of the segment, in the same page of the file.
  const overlaps = headers.some(
    ({ type, offset, size }) => type === PT_LOAD && offset < text.offset && offset + size > at,
  )
  if (overlaps || image.subarray(at, text.offset).some((byte) => byte !== 0))
    throw new Error('this executable has no room before its code')
  const entry = Number(image.readBigUInt64LE(24))
  CODE[architecture](entry - (text.address - ROOM)).copy(image, at)
  image.writeBigUInt64LE(BigInt(text.address - ROOM), 24)
  for (const [field, change] of [
    [8, -ROOM], // p_offset
    [16, -ROOM], // p_vaddr
    [24, -ROOM], // p_paddr
    [32, ROOM], // p_filesz
    [40, ROOM], // p_memsz
  ]) {
    const position = text.position + field
    image.writeBigUInt64LE(image.readBigUInt64LE(position) + BigInt(change), position)
  }
}

function programHeaders(image) {
  const start = Number(image.readBigUInt64LE(32))
  const size = image.readUInt16LE(54)
  return Array.from({ length: image.readUInt16LE(56) }, (_, i) => {
    const position = start + i * size
    return {
      position,
      type: image.readUInt32LE(position),
      flags: image.readUInt32LE(position + 4),
      offset: Number(image.readBigUInt64LE(position + 8)),
      address: Number(image.readBigUInt64LE(position + 16)),
      size: Number(image.readBigUInt64LE(position + 32)),
    }
  })
}
