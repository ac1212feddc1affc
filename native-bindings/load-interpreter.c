// What the kernel does for a program with a dynamic loader (fs/binfmt_elf.c), for one that is asked for
// after all.
#include "load-interpreter.h"

#include "freestanding.h"
#include "syscall.h"

#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#define PROT_READ_BIT 1
#define PROT_WRITE_BIT 2
#define PROT_EXEC_BIT 4
#define MAP_PRIVATE_FLAG 2
#define MAP_FIXED_FLAG 0x10
#define MAP_ANONYMOUS_FLAG 0x20
#define HEAD_SIZE 2048

// The file's head: its header, and the program headers right behind it.
union head {
  Elf64_Ehdr header;
  uint8_t bytes[HEAD_SIZE];
};

struct image {
  int file;
  uint64_t page;      // of this kernel
  uint64_t alignment; // that the file asks for
  uint64_t low;
  uint64_t high;
  const Elf64_Phdr *headers;
  unsigned count;
};

static int failed(long result) { return result < 0 && result > -4096; }

static int read_head(int file, union head *head, struct image *image) {
  long length = SYS4(pread64, file, head, sizeof *head, 0);
  if (length < (long)sizeof head->header) return length < 0 ? (int)length : -ENOEXEC;
  const Elf64_Ehdr *header = &head->header;
  static const uint8_t magic[] = {0x7f, 'E', 'L', 'F', ELFCLASS64};
  for (unsigned i = 0; i < sizeof magic; i++)
    if (header->e_ident[i] != magic[i]) return -ENOEXEC;
  uint64_t end = header->e_phoff + (uint64_t)header->e_phnum * sizeof(Elf64_Phdr);
  if (header->e_type != ET_DYN || header->e_phentsize != sizeof(Elf64_Phdr)) return -ENOEXEC;
  if (header->e_phoff % 8 != 0 || header->e_phoff > HEAD_SIZE || end > (uint64_t)length)
    return -ENOEXEC;
  image->headers = (const Elf64_Phdr *)(head->bytes + header->e_phoff);
  image->count = header->e_phnum;
  return 0;
}

static int is_sane(const struct image *image, const Elf64_Phdr *segment) {
  return segment->p_filesz <= segment->p_memsz && segment->p_memsz <= UINT32_MAX &&
         segment->p_vaddr <= UINT32_MAX && segment->p_align <= UINT32_MAX &&
         (segment->p_align & (segment->p_align - 1)) == 0 &&
         ((segment->p_vaddr ^ segment->p_offset) & (image->page - 1)) == 0;
}

// The extent of all segments and their alignment.
static int measure(struct image *image) {
  image->alignment = image->page;
  image->low = ~UINT64_C(0);
  image->high = 0;
  for (unsigned i = 0; i < image->count; i++) {
    const Elf64_Phdr *segment = &image->headers[i];
    if (segment->p_type != PT_LOAD) continue;
    if (!is_sane(image, segment)) return -ENOEXEC;
    if (segment->p_align > image->alignment) image->alignment = segment->p_align;
    if (segment->p_vaddr < image->low) image->low = segment->p_vaddr;
    if (segment->p_vaddr + segment->p_memsz > image->high)
      image->high = segment->p_vaddr + segment->p_memsz;
  }
  image->low &= ~(image->alignment - 1);
  image->high = (image->high + image->page - 1) & ~(image->page - 1);
  return image->high > image->low ? 0 : -ENOEXEC;
}

static long map_segment(const struct image *image, uint64_t base, const Elf64_Phdr *segment) {
  int protection = (segment->p_flags & PF_R ? PROT_READ_BIT : 0) |
                   (segment->p_flags & PF_W ? PROT_WRITE_BIT : 0) |
                   (segment->p_flags & PF_X ? PROT_EXEC_BIT : 0);
  // What is not of the segment in its first and last page shows what is around it in the file.
  uint64_t page = image->page;
  uint64_t start = base + segment->p_vaddr;
  uint64_t before = start & (page - 1);
  uint64_t file_end = start + segment->p_filesz, end = start + segment->p_memsz;
  if (segment->p_filesz > 0) {
    long result = SYS6(mmap, start - before, segment->p_filesz + before, protection,
                       MAP_PRIVATE_FLAG | MAP_FIXED_FLAG, image->file, segment->p_offset - before);
    if (failed(result)) return result;
  }
  if (end == file_end) return 0;
  uint64_t rest = (file_end + page - 1) & ~(page - 1);
  // To the end of the page: glibc's loader takes its first memory from there.
  memset((void *)file_end, 0, rest - file_end);
  if (rest >= end) return 0;
  return SYS6(mmap, rest, end - rest, protection,
              MAP_PRIVATE_FLAG | MAP_FIXED_FLAG | MAP_ANONYMOUS_FLAG, -1, 0);
}

// Room for the whole image, at an address of its alignment.
static long reserve(const struct image *image) {
  uint64_t size = image->high - image->low, alignment = image->alignment;
  long room = SYS6(mmap, 0, size + alignment, 0, MAP_PRIVATE_FLAG | MAP_ANONYMOUS_FLAG, -1, 0);
  if (failed(room)) return room;
  uint64_t start = ((uint64_t)room + alignment - 1) & ~(alignment - 1);
  uint64_t before = start - (uint64_t)room, behind = alignment - before;
  if (before > 0) (void)SYS2(munmap, room, before);
  if (behind > 0) (void)SYS2(munmap, start + size, behind);
  return (long)start;
}

static int map_image(struct image *image, uint64_t *base) {
  int error = measure(image);
  if (error < 0) return error;
  long start = reserve(image);
  if (failed(start)) return (int)start;
  *base = (uint64_t)start - image->low;
  for (unsigned i = 0; i < image->count; i++) {
    if (image->headers[i].p_type != PT_LOAD) continue;
    long result = map_segment(image, *base, &image->headers[i]);
    if (failed(result)) return (int)result;
  }
  return 0;
}

int load_interpreter(const char *path, uint64_t page, struct loaded *loaded) {
  union head head;
  struct image image = {.page = page};
  long file = SYS4(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return (int)file;
  image.file = (int)file;
  int error = read_head(image.file, &head, &image);
  if (error == 0) error = map_image(&image, &loaded->base);
  (void)SYS1(close, file);
  loaded->entry = loaded->base + head.header.e_entry;
  return error;
}
