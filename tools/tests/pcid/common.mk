# What the tests here and the fuzzers in tools/fuzz/pcid are built from, and
# how.  To be included after Rules.mk.

PCID_TESTS := $(XEN_ROOT)/tools/tests/pcid
LIGHT := $(XEN_ROOT)/tools/libs/light
VCHAN := $(XEN_ROOT)/tools/libs/vchan

# Of a list of objects, those that a directory has the source of: what the
# tests test came in several patches, and they with it.
have = $(filter $(patsubst %.c,%.o,$(notdir $(wildcard $(1)/*.c))),$(2))

# Under test
LIGHT_OBJS := libxl_vchan.o libxl_pcid.o libxl_pcid_client.o
LIGHT_OBJS += libxl_pci_linux.o libxl_pci_owner.o libxl_pci_access.o
LIGHT_OBJS += libxl_hostpci.o libxl_pci_record.o libxl_pci_backend.o
LIGHT_OBJS += libxl_pci_assignable.o libxl_hwdom.o
# Xen tells the roles of domains from 4.21 on.
ROLES := $(if $(filter manage,$(USELIBS_light)),roles)
LIGHT_OBJS += libxl_$(or $(ROLES),noroles).o
LIGHT_OBJS := $(call have,$(LIGHT),$(LIGHT_OBJS))
# What these depend on most, to be watched by the sanitizers too
BASE_OBJS := libxl_event.o libxl_fork.o libxl_json.o libxl_xshelp.o
BASE_OBJS += libxl_internal.o flexarray.o

VCHAN_OBJS := vchan-init.o vchan-io.o

HARNESS_OBJS := tap.o harness.o server.o standin-fault.o standin-evtchn.o
HARNESS_OBJS += standin-xenstore.o standin-xc.o standin-sysfs.o
HARNESS_OBJS += standin-pciback.o standin-arch.o standin-ram.o standin-dm.o
HARNESS_OBJS += $(ROLES:%=standin-%.o)
HARNESS_OBJS := $(call have,$(PCID_TESTS),$(HARNESS_OBJS))

# What the stand-ins take the place of where a definition does not do
WRAP := open open64 fopen fopen64 lstat lstat64 access readlink mkdir
WRAP += opendir readdir readdir64
WRAP += read write close poll fork waitpid gettimeofday
WRAP += stat stat64 unlink rename flock
WRAP += munmap libxenvchan_read libxenvchan_write libxl__ev_fd_register
WRAP += libxl__arch_gsi_grant libxl__arch_gsi_revoke libxl__arch_pci_gsi
WRAP += libxl__arch_ioport_permission libxl__arch_memory_is_ram
WRAP += libxl__ev_qmp_send libxl__ev_qmp_dispose

CFLAGS += -I$(PCID_TESTS) -I$(LIGHT) -I$(VCHAN)
CFLAGS += -include $(XEN_ROOT)/tools/config.h
CFLAGS += $(CFLAGS_libxenlight) $(CFLAGS_libxenvchan)
CFLAGS += $(CFLAGS_libxenctrl) $(CFLAGS_libxenguest) $(CFLAGS_libxenstore)
CFLAGS += $(CFLAGS_libxenhypfs) $(CFLAGS_libxenevtchn)
CFLAGS += $(CFLAGS_libxengnttab) $(CFLAGS_libxenmanage)
CFLAGS += $(CFLAGS_libxentoollog) $(CFLAGS_libxentoolcore)
CFLAGS += $(PTHREAD_CFLAGS)

# A call of a checked variant (__poll_chk) would get past the stand-ins.
APPEND_CFLAGS += -U_FORTIFY_SOURCE

LDFLAGS += $(PTHREAD_LDFLAGS) $(foreach f,$(WRAP),-Wl,--wrap=$(f))
# Not installed: to be run with the libraries of this tree
LDFLAGS += -Wl,--disable-new-dtags
LIBS_DIRS := $(addprefix $(XEN_ROOT)/tools/libs/,$(LIBS_LIBS))
LDFLAGS += $(foreach d,$(LIBS_DIRS),-Wl,-rpath,$(abspath $(d)))

LDLIBS += $(LIGHT)/libxenlight.a
LDLIBS += $(LDLIBS_libxenguest) $(LDLIBS_libxenctrl) $(LDLIBS_libxenstore)
LDLIBS += $(LDLIBS_libxenhypfs) $(LDLIBS_libxenevtchn)
LDLIBS += $(LDLIBS_libxengnttab) $(LDLIBS_libxenmanage)
LDLIBS += $(LDLIBS_libxentoollog) $(LDLIBS_libxentoolcore)
LDLIBS += $(UTIL_LIBS) $(PTHREAD_LIBS) -luuid -lrt
# Where there is no choice of the JSON library, it is yajl.
LDLIBS += $(or $(XEN_JSON_LIBS),-lyajl)
LDLIBS-$(CONFIG_LIBNL) += $(LIBNL3_LIBS)
LDLIBS-$(CONFIG_ARM) += -lfdt
LDLIBS += $(LDLIBS-y)

vpath libxl_%.c $(LIGHT)
vpath flexarray.c $(LIGHT)
vpath harness.c $(PCID_TESTS)
vpath server.c $(PCID_TESTS)
vpath tap.c $(PCID_TESTS)
vpath standin-%.c $(PCID_TESTS)

vchan-%.o: $(VCHAN)/%.c Makefile $(PCID_TESTS)/common.mk
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $< $(APPEND_CFLAGS)
