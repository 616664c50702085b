// SPDX-License-Identifier: GPL-2.0-or-later
// Made by bindgen from QEMU's headers: see qemu-sys/build.rs. Not edited by hand.

#[repr(C)]
#[derive(Copy, Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct __BindgenBitfieldUnit<Storage> {
    storage: Storage,
}
impl<Storage> __BindgenBitfieldUnit<Storage> {
    #[inline]
    pub const fn new(storage: Storage) -> Self {
        Self { storage }
    }
}
impl<Storage> __BindgenBitfieldUnit<Storage>
where
    Storage: AsRef<[u8]> + AsMut<[u8]>,
{
    #[inline]
    fn extract_bit(byte: u8, index: usize) -> bool {
        let bit_index = if cfg!(target_endian = "big") {
            7 - (index % 8)
        } else {
            index % 8
        };
        let mask = 1 << bit_index;
        byte & mask == mask
    }
    #[inline]
    pub fn get_bit(&self, index: usize) -> bool {
        debug_assert!(index / 8 < self.storage.as_ref().len());
        let byte_index = index / 8;
        let byte = self.storage.as_ref()[byte_index];
        Self::extract_bit(byte, index)
    }
    #[inline]
    pub unsafe fn raw_get_bit(this: *const Self, index: usize) -> bool {
        debug_assert!(index / 8 < core::mem::size_of::<Storage>());
        let byte_index = index / 8;
        let byte = unsafe {
            *(core::ptr::addr_of!((*this).storage) as *const u8)
                .offset(byte_index as isize)
        };
        Self::extract_bit(byte, index)
    }
    #[inline]
    fn change_bit(byte: u8, index: usize, val: bool) -> u8 {
        let bit_index = if cfg!(target_endian = "big") {
            7 - (index % 8)
        } else {
            index % 8
        };
        let mask = 1 << bit_index;
        if val { byte | mask } else { byte & !mask }
    }
    #[inline]
    pub fn set_bit(&mut self, index: usize, val: bool) {
        debug_assert!(index / 8 < self.storage.as_ref().len());
        let byte_index = index / 8;
        let byte = &mut self.storage.as_mut()[byte_index];
        *byte = Self::change_bit(*byte, index, val);
    }
    #[inline]
    pub unsafe fn raw_set_bit(this: *mut Self, index: usize, val: bool) {
        debug_assert!(index / 8 < core::mem::size_of::<Storage>());
        let byte_index = index / 8;
        let byte = unsafe {
            (core::ptr::addr_of_mut!((*this).storage) as *mut u8)
                .offset(byte_index as isize)
        };
        unsafe { *byte = Self::change_bit(*byte, index, val) };
    }
    #[inline]
    pub fn get(&self, bit_offset: usize, bit_width: u8) -> u64 {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < self.storage.as_ref().len());
        debug_assert!(
            (bit_offset + (bit_width as usize) + 7) / 8 <= self.storage.as_ref().len(),
        );
        if bit_width == 0 {
            return 0;
        }
        let mut val = 0u64;
        let storage = self.storage.as_ref();
        let start_byte = bit_offset / 8;
        let bit_shift = bit_offset % 8;
        let bytes_needed = (bit_width as usize + bit_shift + 7) / 8;
        if cfg!(target_endian = "big") {
            for i in 0..bytes_needed {
                val |= (storage[start_byte + i].reverse_bits() as u64) << (i * 8);
            }
        } else {
            for i in 0..bytes_needed {
                val |= (storage[start_byte + i] as u64) << (i * 8);
            }
        }
        val >>= bit_shift;
        if bit_width < 64 {
            val &= (1u64 << bit_width) - 1;
        }
        if cfg!(target_endian = "big") {
            val = val.reverse_bits() >> (64 - bit_width as usize);
        }
        val
    }
    #[inline]
    pub unsafe fn raw_get(this: *const Self, bit_offset: usize, bit_width: u8) -> u64 {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < core::mem::size_of::<Storage>());
        debug_assert!(
            (bit_offset + (bit_width as usize) + 7) / 8
                <= core::mem::size_of::<Storage>(),
        );
        if bit_width == 0 {
            return 0;
        }
        let mut val = 0u64;
        let start_byte = bit_offset / 8;
        let bit_shift = bit_offset % 8;
        let bytes_needed = (bit_width as usize + bit_shift + 7) / 8;
        let storage_ptr = unsafe { core::ptr::addr_of!((*this).storage) as *const u8 };
        if cfg!(target_endian = "big") {
            for i in 0..bytes_needed {
                let byte = unsafe { *storage_ptr.add(start_byte + i) };
                val |= (byte.reverse_bits() as u64) << (i * 8);
            }
        } else {
            for i in 0..bytes_needed {
                let byte = unsafe { *storage_ptr.add(start_byte + i) };
                val |= (byte as u64) << (i * 8);
            }
        }
        val >>= bit_shift;
        if bit_width < 64 {
            val &= (1u64 << bit_width) - 1;
        }
        if cfg!(target_endian = "big") {
            val = val.reverse_bits() >> (64 - bit_width as usize);
        }
        val
    }
    #[inline]
    pub fn set(&mut self, bit_offset: usize, bit_width: u8, val: u64) {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < self.storage.as_ref().len());
        debug_assert!(
            (bit_offset + (bit_width as usize) + 7) / 8 <= self.storage.as_ref().len(),
        );
        if bit_width == 0 {
            return;
        }
        let mut val = val;
        if bit_width < 64 {
            val &= (1u64 << bit_width) - 1;
        }
        if cfg!(target_endian = "big") {
            val = val.reverse_bits() >> (64 - bit_width as usize);
        }
        let storage = self.storage.as_mut();
        let start_byte = bit_offset / 8;
        let bit_shift = bit_offset % 8;
        let bytes_needed = (bit_width as usize + bit_shift + 7) / 8;
        val <<= bit_shift;
        let field_mask = if bit_width as usize + bit_shift >= 64 {
            !0u64 << bit_shift
        } else {
            ((1u64 << bit_width) - 1) << bit_shift
        };
        for i in 0..bytes_needed {
            let byte_val = (val >> (i * 8)) as u8;
            let byte_mask = (field_mask >> (i * 8)) as u8;
            if cfg!(target_endian = "big") {
                let byte = storage[start_byte + i].reverse_bits();
                let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                storage[start_byte + i] = new_byte.reverse_bits();
            } else {
                storage[start_byte + i] = (storage[start_byte + i] & !byte_mask)
                    | (byte_val & byte_mask);
            }
        }
    }
    #[inline]
    pub unsafe fn raw_set(this: *mut Self, bit_offset: usize, bit_width: u8, val: u64) {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < core::mem::size_of::<Storage>());
        debug_assert!(
            (bit_offset + (bit_width as usize) + 7) / 8
                <= core::mem::size_of::<Storage>(),
        );
        if bit_width == 0 {
            return;
        }
        let mut val = val;
        if bit_width < 64 {
            val &= (1u64 << bit_width) - 1;
        }
        if cfg!(target_endian = "big") {
            val = val.reverse_bits() >> (64 - bit_width as usize);
        }
        let start_byte = bit_offset / 8;
        let bit_shift = bit_offset % 8;
        let bytes_needed = (bit_width as usize + bit_shift + 7) / 8;
        val <<= bit_shift;
        let field_mask = if bit_width as usize + bit_shift >= 64 {
            !0u64 << bit_shift
        } else {
            ((1u64 << bit_width) - 1) << bit_shift
        };
        let storage_ptr = unsafe { core::ptr::addr_of_mut!((*this).storage) as *mut u8 };
        for i in 0..bytes_needed {
            let byte_val = (val >> (i * 8)) as u8;
            let byte_mask = (field_mask >> (i * 8)) as u8;
            let byte_ptr = unsafe { storage_ptr.add(start_byte + i) };
            if cfg!(target_endian = "big") {
                let byte = unsafe { (*byte_ptr).reverse_bits() };
                let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                unsafe { *byte_ptr = new_byte.reverse_bits() };
            } else {
                unsafe { *byte_ptr = (*byte_ptr & !byte_mask) | (byte_val & byte_mask) };
            }
        }
    }
}
/// Const-generic methods for efficient bitfield access when offset and width
/// are known at compile time.
impl<const N: usize> __BindgenBitfieldUnit<[u8; N]> {
    /// Get a field using const generics for compile-time optimization.
    /// Uses native word size operations when the field fits in usize.
    #[inline]
    pub const fn get_const<const BIT_OFFSET: usize, const BIT_WIDTH: u8>(&self) -> u64 {
        debug_assert!(BIT_WIDTH <= 64);
        debug_assert!(BIT_OFFSET / 8 < N);
        debug_assert!((BIT_OFFSET + (BIT_WIDTH as usize) + 7) / 8 <= N);
        if BIT_WIDTH == 0 {
            return 0;
        }
        let start_byte = BIT_OFFSET / 8;
        let bit_shift = BIT_OFFSET % 8;
        let bytes_needed = (BIT_WIDTH as usize + bit_shift + 7) / 8;
        if BIT_WIDTH as usize + bit_shift <= usize::BITS as usize {
            let mut val = 0usize;
            if cfg!(target_endian = "big") {
                let mut i = 0;
                while i < bytes_needed {
                    val
                        |= (self.storage[start_byte + i].reverse_bits() as usize)
                            << (i * 8);
                    i += 1;
                }
            } else {
                let mut i = 0;
                while i < bytes_needed {
                    val |= (self.storage[start_byte + i] as usize) << (i * 8);
                    i += 1;
                }
            }
            val >>= bit_shift;
            if (BIT_WIDTH as u32) < usize::BITS {
                val &= (1usize << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (usize::BITS as usize - BIT_WIDTH as usize);
            }
            val as u64
        } else {
            let mut val = 0u64;
            if cfg!(target_endian = "big") {
                let mut i = 0;
                while i < bytes_needed {
                    val
                        |= (self.storage[start_byte + i].reverse_bits() as u64)
                            << (i * 8);
                    i += 1;
                }
            } else {
                let mut i = 0;
                while i < bytes_needed {
                    val |= (self.storage[start_byte + i] as u64) << (i * 8);
                    i += 1;
                }
            }
            val >>= bit_shift;
            if BIT_WIDTH < 64 {
                val &= (1u64 << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (64 - BIT_WIDTH as usize);
            }
            val
        }
    }
    /// Set a field using const generics for compile-time optimization.
    /// Uses native word size operations when the field fits in usize.
    #[inline]
    pub fn set_const<const BIT_OFFSET: usize, const BIT_WIDTH: u8>(&mut self, val: u64) {
        debug_assert!(BIT_WIDTH <= 64);
        debug_assert!(BIT_OFFSET / 8 < N);
        debug_assert!((BIT_OFFSET + (BIT_WIDTH as usize) + 7) / 8 <= N);
        if BIT_WIDTH == 0 {
            return;
        }
        let start_byte = BIT_OFFSET / 8;
        let bit_shift = BIT_OFFSET % 8;
        let bytes_needed = (BIT_WIDTH as usize + bit_shift + 7) / 8;
        if BIT_WIDTH as usize + bit_shift <= usize::BITS as usize {
            let mut val = val as usize;
            if (BIT_WIDTH as u32) < usize::BITS {
                val &= (1usize << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (usize::BITS as usize - BIT_WIDTH as usize);
            }
            val <<= bit_shift;
            let field_mask = if BIT_WIDTH as usize + bit_shift >= usize::BITS as usize {
                !0usize << bit_shift
            } else {
                ((1usize << BIT_WIDTH) - 1) << bit_shift
            };
            let mut i = 0;
            while i < bytes_needed {
                let byte_val = (val >> (i * 8)) as u8;
                let byte_mask = (field_mask >> (i * 8)) as u8;
                if cfg!(target_endian = "big") {
                    let byte = self.storage[start_byte + i].reverse_bits();
                    let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                    self.storage[start_byte + i] = new_byte.reverse_bits();
                } else {
                    self.storage[start_byte + i] = (self.storage[start_byte + i]
                        & !byte_mask) | (byte_val & byte_mask);
                }
                i += 1;
            }
        } else {
            let mut val = val;
            if BIT_WIDTH < 64 {
                val &= (1u64 << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (64 - BIT_WIDTH as usize);
            }
            val <<= bit_shift;
            let field_mask = if BIT_WIDTH as usize + bit_shift >= 64 {
                !0u64 << bit_shift
            } else {
                ((1u64 << BIT_WIDTH) - 1) << bit_shift
            };
            let mut i = 0;
            while i < bytes_needed {
                let byte_val = (val >> (i * 8)) as u8;
                let byte_mask = (field_mask >> (i * 8)) as u8;
                if cfg!(target_endian = "big") {
                    let byte = self.storage[start_byte + i].reverse_bits();
                    let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                    self.storage[start_byte + i] = new_byte.reverse_bits();
                } else {
                    self.storage[start_byte + i] = (self.storage[start_byte + i]
                        & !byte_mask) | (byte_val & byte_mask);
                }
                i += 1;
            }
        }
    }
    /// Raw pointer get using const generics for compile-time optimization.
    /// Uses native word size operations when the field fits in usize.
    #[inline]
    pub const unsafe fn raw_get_const<const BIT_OFFSET: usize, const BIT_WIDTH: u8>(
        this: *const Self,
    ) -> u64 {
        debug_assert!(BIT_WIDTH <= 64);
        debug_assert!(BIT_OFFSET / 8 < N);
        debug_assert!((BIT_OFFSET + (BIT_WIDTH as usize) + 7) / 8 <= N);
        if BIT_WIDTH == 0 {
            return 0;
        }
        let start_byte = BIT_OFFSET / 8;
        let bit_shift = BIT_OFFSET % 8;
        let bytes_needed = (BIT_WIDTH as usize + bit_shift + 7) / 8;
        let storage_ptr = unsafe { core::ptr::addr_of!((*this).storage) as *const u8 };
        if BIT_WIDTH as usize + bit_shift <= usize::BITS as usize {
            let mut val = 0usize;
            if cfg!(target_endian = "big") {
                let mut i = 0;
                while i < bytes_needed {
                    let byte = unsafe { *storage_ptr.add(start_byte + i) };
                    val |= (byte.reverse_bits() as usize) << (i * 8);
                    i += 1;
                }
            } else {
                let mut i = 0;
                while i < bytes_needed {
                    let byte = unsafe { *storage_ptr.add(start_byte + i) };
                    val |= (byte as usize) << (i * 8);
                    i += 1;
                }
            }
            val >>= bit_shift;
            if (BIT_WIDTH as u32) < usize::BITS {
                val &= (1usize << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (usize::BITS as usize - BIT_WIDTH as usize);
            }
            val as u64
        } else {
            let mut val = 0u64;
            if cfg!(target_endian = "big") {
                let mut i = 0;
                while i < bytes_needed {
                    let byte = unsafe { *storage_ptr.add(start_byte + i) };
                    val |= (byte.reverse_bits() as u64) << (i * 8);
                    i += 1;
                }
            } else {
                let mut i = 0;
                while i < bytes_needed {
                    let byte = unsafe { *storage_ptr.add(start_byte + i) };
                    val |= (byte as u64) << (i * 8);
                    i += 1;
                }
            }
            val >>= bit_shift;
            if BIT_WIDTH < 64 {
                val &= (1u64 << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (64 - BIT_WIDTH as usize);
            }
            val
        }
    }
    /// Raw pointer set using const generics for compile-time optimization.
    /// Uses native word size operations when the field fits in usize.
    #[inline]
    pub unsafe fn raw_set_const<const BIT_OFFSET: usize, const BIT_WIDTH: u8>(
        this: *mut Self,
        val: u64,
    ) {
        debug_assert!(BIT_WIDTH <= 64);
        debug_assert!(BIT_OFFSET / 8 < N);
        debug_assert!((BIT_OFFSET + (BIT_WIDTH as usize) + 7) / 8 <= N);
        if BIT_WIDTH == 0 {
            return;
        }
        let start_byte = BIT_OFFSET / 8;
        let bit_shift = BIT_OFFSET % 8;
        let bytes_needed = (BIT_WIDTH as usize + bit_shift + 7) / 8;
        let storage_ptr = this.cast::<[u8; N]>().cast::<u8>();
        if BIT_WIDTH as usize + bit_shift <= usize::BITS as usize {
            let mut val = val as usize;
            if (BIT_WIDTH as u32) < usize::BITS {
                val &= (1usize << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (usize::BITS as usize - BIT_WIDTH as usize);
            }
            val <<= bit_shift;
            let field_mask = if BIT_WIDTH as usize + bit_shift >= usize::BITS as usize {
                !0usize << bit_shift
            } else {
                ((1usize << BIT_WIDTH) - 1) << bit_shift
            };
            let mut i = 0;
            while i < bytes_needed {
                let byte_val = (val >> (i * 8)) as u8;
                let byte_mask = (field_mask >> (i * 8)) as u8;
                let byte_ptr = unsafe { storage_ptr.add(start_byte + i) };
                if cfg!(target_endian = "big") {
                    let byte = unsafe { (*byte_ptr).reverse_bits() };
                    let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                    unsafe { *byte_ptr = new_byte.reverse_bits() };
                } else {
                    unsafe {
                        *byte_ptr = (*byte_ptr & !byte_mask) | (byte_val & byte_mask)
                    };
                }
                i += 1;
            }
        } else {
            let mut val = val;
            if BIT_WIDTH < 64 {
                val &= (1u64 << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (64 - BIT_WIDTH as usize);
            }
            val <<= bit_shift;
            let field_mask = if BIT_WIDTH as usize + bit_shift >= 64 {
                !0u64 << bit_shift
            } else {
                ((1u64 << BIT_WIDTH) - 1) << bit_shift
            };
            let mut i = 0;
            while i < bytes_needed {
                let byte_val = (val >> (i * 8)) as u8;
                let byte_mask = (field_mask >> (i * 8)) as u8;
                let byte_ptr = unsafe { storage_ptr.add(start_byte + i) };
                if cfg!(target_endian = "big") {
                    let byte = unsafe { (*byte_ptr).reverse_bits() };
                    let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                    unsafe { *byte_ptr = new_byte.reverse_bits() };
                } else {
                    unsafe {
                        *byte_ptr = (*byte_ptr & !byte_mask) | (byte_val & byte_mask)
                    };
                }
                i += 1;
            }
        }
    }
}
pub const QEMU_VERSION: &[u8; 7] = b"11.1.1\0";
pub const TYPE_OBJECT: &[u8; 7] = b"object\0";
pub const TYPE_INTERFACE: &[u8; 10] = b"interface\0";
pub const LOG_TRACE: u32 = 32768;
pub const CPU_LOG_TB_OUT_ASM: u32 = 1;
pub const CPU_LOG_TB_IN_ASM: u32 = 2;
pub const CPU_LOG_TB_OP: u32 = 4;
pub const CPU_LOG_TB_OP_OPT: u32 = 8;
pub const CPU_LOG_INT: u32 = 16;
pub const CPU_LOG_EXEC: u32 = 32;
pub const CPU_LOG_PCALL: u32 = 64;
pub const CPU_LOG_TB_CPU: u32 = 256;
pub const CPU_LOG_RESET: u32 = 512;
pub const LOG_UNIMP: u32 = 1024;
pub const LOG_GUEST_ERROR: u32 = 2048;
pub const CPU_LOG_MMU: u32 = 4096;
pub const CPU_LOG_TB_NOCHAIN: u32 = 8192;
pub const CPU_LOG_PAGE: u32 = 16384;
pub const CPU_LOG_TB_OP_IND: u32 = 65536;
pub const CPU_LOG_TB_FPU: u32 = 131072;
pub const CPU_LOG_PLUGIN: u32 = 262144;
pub const LOG_STRACE: u32 = 524288;
pub const LOG_PER_THREAD: u32 = 1048576;
pub const CPU_LOG_TB_VPU: u32 = 2097152;
pub const LOG_TB_OP_PLUGIN: u32 = 4194304;
pub const LOG_INVALID_MEM: u32 = 8388608;
pub const MEMTX_OK: u32 = 0;
pub const MEMTX_ERROR: u32 = 1;
pub const MEMTX_DECODE_ERROR: u32 = 2;
pub const MEMTX_ACCESS_ERROR: u32 = 4;
pub const TYPE_MEMORY_REGION: &[u8; 14] = b"memory-region\0";
pub const TYPE_IOMMU_MEMORY_REGION: &[u8; 20] = b"iommu-memory-region\0";
pub const TYPE_RESETTABLE_INTERFACE: &[u8; 11] = b"resettable\0";
pub const TYPE_DEVICE: &[u8; 7] = b"device\0";
pub const TYPE_SYS_BUS_DEVICE: &[u8; 15] = b"sys-bus-device\0";
pub const PCI_BUS_MAX: u32 = 256;
pub const PCI_DEVFN_MAX: u32 = 256;
pub const PCI_SLOT_MAX: u32 = 32;
pub const PCI_FUNC_MAX: u32 = 8;
pub const PCI_CLASS_NOT_DEFINED: u32 = 0;
pub const PCI_CLASS_NOT_DEFINED_VGA: u32 = 1;
pub const PCI_BASE_CLASS_STORAGE: u32 = 1;
pub const PCI_CLASS_STORAGE_SCSI: u32 = 256;
pub const PCI_CLASS_STORAGE_IDE: u32 = 257;
pub const PCI_CLASS_STORAGE_FLOPPY: u32 = 258;
pub const PCI_CLASS_STORAGE_IPI: u32 = 259;
pub const PCI_CLASS_STORAGE_RAID: u32 = 260;
pub const PCI_CLASS_STORAGE_ATA: u32 = 261;
pub const PCI_CLASS_STORAGE_SATA: u32 = 262;
pub const PCI_CLASS_STORAGE_SAS: u32 = 263;
pub const PCI_CLASS_STORAGE_EXPRESS: u32 = 264;
pub const PCI_CLASS_STORAGE_UFS: u32 = 265;
pub const PCI_CLASS_STORAGE_OTHER: u32 = 384;
pub const PCI_BASE_CLASS_NETWORK: u32 = 2;
pub const PCI_CLASS_NETWORK_ETHERNET: u32 = 512;
pub const PCI_CLASS_NETWORK_TOKEN_RING: u32 = 513;
pub const PCI_CLASS_NETWORK_FDDI: u32 = 514;
pub const PCI_CLASS_NETWORK_ATM: u32 = 515;
pub const PCI_CLASS_NETWORK_ISDN: u32 = 516;
pub const PCI_CLASS_NETWORK_WORLDFIP: u32 = 517;
pub const PCI_CLASS_NETWORK_PICMG214: u32 = 518;
pub const PCI_CLASS_NETWORK_OTHER: u32 = 640;
pub const PCI_BASE_CLASS_DISPLAY: u32 = 3;
pub const PCI_CLASS_DISPLAY_VGA: u32 = 768;
pub const PCI_CLASS_DISPLAY_XGA: u32 = 769;
pub const PCI_CLASS_DISPLAY_3D: u32 = 770;
pub const PCI_CLASS_DISPLAY_OTHER: u32 = 896;
pub const PCI_BASE_CLASS_MULTIMEDIA: u32 = 4;
pub const PCI_CLASS_MULTIMEDIA_VIDEO: u32 = 1024;
pub const PCI_CLASS_MULTIMEDIA_AUDIO: u32 = 1025;
pub const PCI_CLASS_MULTIMEDIA_PHONE: u32 = 1026;
pub const PCI_CLASS_MULTIMEDIA_OTHER: u32 = 1152;
pub const PCI_BASE_CLASS_MEMORY: u32 = 5;
pub const PCI_CLASS_MEMORY_RAM: u32 = 1280;
pub const PCI_CLASS_MEMORY_FLASH: u32 = 1281;
pub const PCI_CLASS_MEMORY_CXL: u32 = 1282;
pub const PCI_CLASS_MEMORY_OTHER: u32 = 1408;
pub const PCI_BASE_CLASS_BRIDGE: u32 = 6;
pub const PCI_CLASS_BRIDGE_HOST: u32 = 1536;
pub const PCI_CLASS_BRIDGE_ISA: u32 = 1537;
pub const PCI_CLASS_BRIDGE_EISA: u32 = 1538;
pub const PCI_CLASS_BRIDGE_MC: u32 = 1539;
pub const PCI_CLASS_BRIDGE_PCI: u32 = 1540;
pub const PCI_CLASS_BRIDGE_PCI_INF_SUB: u32 = 1;
pub const PCI_CLASS_BRIDGE_PCMCIA: u32 = 1541;
pub const PCI_CLASS_BRIDGE_NUBUS: u32 = 1542;
pub const PCI_CLASS_BRIDGE_CARDBUS: u32 = 1543;
pub const PCI_CLASS_BRIDGE_RACEWAY: u32 = 1544;
pub const PCI_CLASS_BRIDGE_PCI_SEMITP: u32 = 1545;
pub const PCI_CLASS_BRIDGE_IB_PCI: u32 = 1546;
pub const PCI_CLASS_BRIDGE_OTHER: u32 = 1664;
pub const PCI_BASE_CLASS_COMMUNICATION: u32 = 7;
pub const PCI_CLASS_COMMUNICATION_SERIAL: u32 = 1792;
pub const PCI_CLASS_COMMUNICATION_PARALLEL: u32 = 1793;
pub const PCI_CLASS_COMMUNICATION_MULTISERIAL: u32 = 1794;
pub const PCI_CLASS_COMMUNICATION_MODEM: u32 = 1795;
pub const PCI_CLASS_COMMUNICATION_GPIB: u32 = 1796;
pub const PCI_CLASS_COMMUNICATION_SC: u32 = 1797;
pub const PCI_CLASS_COMMUNICATION_OTHER: u32 = 1920;
pub const PCI_BASE_CLASS_SYSTEM: u32 = 8;
pub const PCI_CLASS_SYSTEM_PIC: u32 = 2048;
pub const PCI_CLASS_SYSTEM_PIC_IOAPIC: u32 = 524304;
pub const PCI_CLASS_SYSTEM_PIC_IOXAPIC: u32 = 524320;
pub const PCI_CLASS_SYSTEM_DMA: u32 = 2049;
pub const PCI_CLASS_SYSTEM_TIMER: u32 = 2050;
pub const PCI_CLASS_SYSTEM_RTC: u32 = 2051;
pub const PCI_CLASS_SYSTEM_PCI_HOTPLUG: u32 = 2052;
pub const PCI_CLASS_SYSTEM_SDHCI: u32 = 2053;
pub const PCI_CLASS_SYSTEM_OTHER: u32 = 2176;
pub const PCI_BASE_CLASS_INPUT: u32 = 9;
pub const PCI_CLASS_INPUT_KEYBOARD: u32 = 2304;
pub const PCI_CLASS_INPUT_PEN: u32 = 2305;
pub const PCI_CLASS_INPUT_MOUSE: u32 = 2306;
pub const PCI_CLASS_INPUT_SCANNER: u32 = 2307;
pub const PCI_CLASS_INPUT_GAMEPORT: u32 = 2308;
pub const PCI_CLASS_INPUT_OTHER: u32 = 2432;
pub const PCI_BASE_CLASS_DOCKING: u32 = 10;
pub const PCI_CLASS_DOCKING_GENERIC: u32 = 2560;
pub const PCI_CLASS_DOCKING_OTHER: u32 = 2688;
pub const PCI_BASE_CLASS_PROCESSOR: u32 = 11;
pub const PCI_CLASS_PROCESSOR_PENTIUM: u32 = 2818;
pub const PCI_CLASS_PROCESSOR_POWERPC: u32 = 2848;
pub const PCI_CLASS_PROCESSOR_MIPS: u32 = 2864;
pub const PCI_CLASS_PROCESSOR_CO: u32 = 2880;
pub const PCI_BASE_CLASS_SERIAL: u32 = 12;
pub const PCI_CLASS_SERIAL_FIREWIRE: u32 = 3072;
pub const PCI_CLASS_SERIAL_ACCESS: u32 = 3073;
pub const PCI_CLASS_SERIAL_SSA: u32 = 3074;
pub const PCI_CLASS_SERIAL_USB: u32 = 3075;
pub const PCI_CLASS_SERIAL_USB_UHCI: u32 = 787200;
pub const PCI_CLASS_SERIAL_USB_OHCI: u32 = 787216;
pub const PCI_CLASS_SERIAL_USB_EHCI: u32 = 787232;
pub const PCI_CLASS_SERIAL_USB_XHCI: u32 = 787248;
pub const PCI_CLASS_SERIAL_USB_UNKNOWN: u32 = 787328;
pub const PCI_CLASS_SERIAL_USB_DEVICE: u32 = 787454;
pub const PCI_CLASS_SERIAL_FIBER: u32 = 3076;
pub const PCI_CLASS_SERIAL_SMBUS: u32 = 3077;
pub const PCI_CLASS_SERIAL_IB: u32 = 3078;
pub const PCI_CLASS_SERIAL_IPMI: u32 = 3079;
pub const PCI_CLASS_SERIAL_SERCOS: u32 = 3080;
pub const PCI_CLASS_SERIAL_CANBUS: u32 = 3081;
pub const PCI_BASE_CLASS_WIRELESS: u32 = 13;
pub const PCI_CLASS_WIRELESS_IRDA: u32 = 3328;
pub const PCI_CLASS_WIRELESS_CIR: u32 = 3329;
pub const PCI_CLASS_WIRELESS_RF_CONTROLLER: u32 = 3344;
pub const PCI_CLASS_WIRELESS_BLUETOOTH: u32 = 3345;
pub const PCI_CLASS_WIRELESS_BROADBAND: u32 = 3346;
pub const PCI_CLASS_WIRELESS_OTHER: u32 = 3456;
pub const PCI_BASE_CLASS_SATELLITE: u32 = 15;
pub const PCI_CLASS_SATELLITE_TV: u32 = 3840;
pub const PCI_CLASS_SATELLITE_AUDIO: u32 = 3841;
pub const PCI_CLASS_SATELLITE_VOICE: u32 = 3843;
pub const PCI_CLASS_SATELLITE_DATA: u32 = 3844;
pub const PCI_BASE_CLASS_CRYPT: u32 = 16;
pub const PCI_CLASS_CRYPT_NETWORK: u32 = 4096;
pub const PCI_CLASS_CRYPT_ENTERTAINMENT: u32 = 4097;
pub const PCI_CLASS_CRYPT_OTHER: u32 = 4224;
pub const PCI_BASE_CLASS_SIGNAL_PROCESSING: u32 = 17;
pub const PCI_CLASS_SP_DPIO: u32 = 4352;
pub const PCI_CLASS_SP_PERF: u32 = 4353;
pub const PCI_CLASS_SP_SYNCH: u32 = 4368;
pub const PCI_CLASS_SP_MANAGEMENT: u32 = 4384;
pub const PCI_CLASS_SP_OTHER: u32 = 4480;
pub const PCI_CLASS_OTHERS: u32 = 255;
pub const PCI_ROM_SLOT: u32 = 6;
pub const PCI_NUM_REGIONS: u32 = 7;
pub const QEMU_PCI_VGA_MEM_BASE: u32 = 655360;
pub const QEMU_PCI_VGA_MEM_SIZE: u32 = 131072;
pub const QEMU_PCI_VGA_IO_LO_BASE: u32 = 944;
pub const QEMU_PCI_VGA_IO_LO_SIZE: u32 = 12;
pub const QEMU_PCI_VGA_IO_HI_BASE: u32 = 960;
pub const QEMU_PCI_VGA_IO_HI_SIZE: u32 = 32;
pub const PCI_CFG_SPACE_SIZE: u32 = 256;
pub const PCI_CFG_SPACE_EXP_SIZE: u32 = 4096;
pub const PCI_STD_HEADER_SIZEOF: u32 = 64;
pub const PCI_STD_NUM_BARS: u32 = 6;
pub const PCI_VENDOR_ID: u32 = 0;
pub const PCI_DEVICE_ID: u32 = 2;
pub const PCI_COMMAND: u32 = 4;
pub const PCI_COMMAND_IO: u32 = 1;
pub const PCI_COMMAND_MEMORY: u32 = 2;
pub const PCI_COMMAND_MASTER: u32 = 4;
pub const PCI_COMMAND_SPECIAL: u32 = 8;
pub const PCI_COMMAND_INVALIDATE: u32 = 16;
pub const PCI_COMMAND_VGA_PALETTE: u32 = 32;
pub const PCI_COMMAND_PARITY: u32 = 64;
pub const PCI_COMMAND_WAIT: u32 = 128;
pub const PCI_COMMAND_SERR: u32 = 256;
pub const PCI_COMMAND_FAST_BACK: u32 = 512;
pub const PCI_COMMAND_INTX_DISABLE: u32 = 1024;
pub const PCI_STATUS: u32 = 6;
pub const PCI_STATUS_IMM_READY: u32 = 1;
pub const PCI_STATUS_INTERRUPT: u32 = 8;
pub const PCI_STATUS_CAP_LIST: u32 = 16;
pub const PCI_STATUS_66MHZ: u32 = 32;
pub const PCI_STATUS_UDF: u32 = 64;
pub const PCI_STATUS_FAST_BACK: u32 = 128;
pub const PCI_STATUS_PARITY: u32 = 256;
pub const PCI_STATUS_DEVSEL_MASK: u32 = 1536;
pub const PCI_STATUS_DEVSEL_FAST: u32 = 0;
pub const PCI_STATUS_DEVSEL_MEDIUM: u32 = 512;
pub const PCI_STATUS_DEVSEL_SLOW: u32 = 1024;
pub const PCI_STATUS_SIG_TARGET_ABORT: u32 = 2048;
pub const PCI_STATUS_REC_TARGET_ABORT: u32 = 4096;
pub const PCI_STATUS_REC_MASTER_ABORT: u32 = 8192;
pub const PCI_STATUS_SIG_SYSTEM_ERROR: u32 = 16384;
pub const PCI_STATUS_DETECTED_PARITY: u32 = 32768;
pub const PCI_CLASS_REVISION: u32 = 8;
pub const PCI_REVISION_ID: u32 = 8;
pub const PCI_CLASS_PROG: u32 = 9;
pub const PCI_CLASS_DEVICE: u32 = 10;
pub const PCI_CACHE_LINE_SIZE: u32 = 12;
pub const PCI_LATENCY_TIMER: u32 = 13;
pub const PCI_HEADER_TYPE: u32 = 14;
pub const PCI_HEADER_TYPE_MASK: u32 = 127;
pub const PCI_HEADER_TYPE_NORMAL: u32 = 0;
pub const PCI_HEADER_TYPE_BRIDGE: u32 = 1;
pub const PCI_HEADER_TYPE_CARDBUS: u32 = 2;
pub const PCI_HEADER_TYPE_MFD: u32 = 128;
pub const PCI_BIST: u32 = 15;
pub const PCI_BIST_CODE_MASK: u32 = 15;
pub const PCI_BIST_START: u32 = 64;
pub const PCI_BIST_CAPABLE: u32 = 128;
pub const PCI_BASE_ADDRESS_0: u32 = 16;
pub const PCI_BASE_ADDRESS_1: u32 = 20;
pub const PCI_BASE_ADDRESS_2: u32 = 24;
pub const PCI_BASE_ADDRESS_3: u32 = 28;
pub const PCI_BASE_ADDRESS_4: u32 = 32;
pub const PCI_BASE_ADDRESS_5: u32 = 36;
pub const PCI_BASE_ADDRESS_SPACE: u32 = 1;
pub const PCI_BASE_ADDRESS_SPACE_IO: u32 = 1;
pub const PCI_BASE_ADDRESS_SPACE_MEMORY: u32 = 0;
pub const PCI_BASE_ADDRESS_MEM_TYPE_MASK: u32 = 6;
pub const PCI_BASE_ADDRESS_MEM_TYPE_32: u32 = 0;
pub const PCI_BASE_ADDRESS_MEM_TYPE_1M: u32 = 2;
pub const PCI_BASE_ADDRESS_MEM_TYPE_64: u32 = 4;
pub const PCI_BASE_ADDRESS_MEM_PREFETCH: u32 = 8;
pub const PCI_BASE_ADDRESS_MEM_MASK: i32 = -16;
pub const PCI_BASE_ADDRESS_IO_MASK: i32 = -4;
pub const PCI_CARDBUS_CIS: u32 = 40;
pub const PCI_SUBSYSTEM_VENDOR_ID: u32 = 44;
pub const PCI_SUBSYSTEM_ID: u32 = 46;
pub const PCI_ROM_ADDRESS: u32 = 48;
pub const PCI_ROM_ADDRESS_ENABLE: u32 = 1;
pub const PCI_ROM_ADDRESS_MASK: i32 = -2048;
pub const PCI_CAPABILITY_LIST: u32 = 52;
pub const PCI_INTERRUPT_LINE: u32 = 60;
pub const PCI_INTERRUPT_PIN: u32 = 61;
pub const PCI_MIN_GNT: u32 = 62;
pub const PCI_MAX_LAT: u32 = 63;
pub const PCI_PRIMARY_BUS: u32 = 24;
pub const PCI_SECONDARY_BUS: u32 = 25;
pub const PCI_SUBORDINATE_BUS: u32 = 26;
pub const PCI_SEC_LATENCY_TIMER: u32 = 27;
pub const PCI_PRIMARY_BUS_MASK: u32 = 255;
pub const PCI_SECONDARY_BUS_MASK: u32 = 65280;
pub const PCI_SUBORDINATE_BUS_MASK: u32 = 16711680;
pub const PCI_SEC_LATENCY_TIMER_MASK: u32 = 4278190080;
pub const PCI_IO_BASE: u32 = 28;
pub const PCI_IO_LIMIT: u32 = 29;
pub const PCI_IO_RANGE_TYPE_MASK: u32 = 15;
pub const PCI_IO_RANGE_TYPE_16: u32 = 0;
pub const PCI_IO_RANGE_TYPE_32: u32 = 1;
pub const PCI_IO_RANGE_MASK: i32 = -16;
pub const PCI_IO_1K_RANGE_MASK: i32 = -4;
pub const PCI_SEC_STATUS: u32 = 30;
pub const PCI_MEMORY_BASE: u32 = 32;
pub const PCI_MEMORY_LIMIT: u32 = 34;
pub const PCI_MEMORY_RANGE_TYPE_MASK: u32 = 15;
pub const PCI_MEMORY_RANGE_MASK: i32 = -16;
pub const PCI_PREF_MEMORY_BASE: u32 = 36;
pub const PCI_PREF_MEMORY_LIMIT: u32 = 38;
pub const PCI_PREF_RANGE_TYPE_MASK: u32 = 15;
pub const PCI_PREF_RANGE_TYPE_32: u32 = 0;
pub const PCI_PREF_RANGE_TYPE_64: u32 = 1;
pub const PCI_PREF_RANGE_MASK: i32 = -16;
pub const PCI_PREF_BASE_UPPER32: u32 = 40;
pub const PCI_PREF_LIMIT_UPPER32: u32 = 44;
pub const PCI_IO_BASE_UPPER16: u32 = 48;
pub const PCI_IO_LIMIT_UPPER16: u32 = 50;
pub const PCI_ROM_ADDRESS1: u32 = 56;
pub const PCI_BRIDGE_CONTROL: u32 = 62;
pub const PCI_BRIDGE_CTL_PARITY: u32 = 1;
pub const PCI_BRIDGE_CTL_SERR: u32 = 2;
pub const PCI_BRIDGE_CTL_ISA: u32 = 4;
pub const PCI_BRIDGE_CTL_VGA: u32 = 8;
pub const PCI_BRIDGE_CTL_MASTER_ABORT: u32 = 32;
pub const PCI_BRIDGE_CTL_BUS_RESET: u32 = 64;
pub const PCI_BRIDGE_CTL_FAST_BACK: u32 = 128;
pub const PCI_CB_CAPABILITY_LIST: u32 = 20;
pub const PCI_CB_SEC_STATUS: u32 = 22;
pub const PCI_CB_PRIMARY_BUS: u32 = 24;
pub const PCI_CB_CARD_BUS: u32 = 25;
pub const PCI_CB_SUBORDINATE_BUS: u32 = 26;
pub const PCI_CB_LATENCY_TIMER: u32 = 27;
pub const PCI_CB_MEMORY_BASE_0: u32 = 28;
pub const PCI_CB_MEMORY_LIMIT_0: u32 = 32;
pub const PCI_CB_MEMORY_BASE_1: u32 = 36;
pub const PCI_CB_MEMORY_LIMIT_1: u32 = 40;
pub const PCI_CB_IO_BASE_0: u32 = 44;
pub const PCI_CB_IO_BASE_0_HI: u32 = 46;
pub const PCI_CB_IO_LIMIT_0: u32 = 48;
pub const PCI_CB_IO_LIMIT_0_HI: u32 = 50;
pub const PCI_CB_IO_BASE_1: u32 = 52;
pub const PCI_CB_IO_BASE_1_HI: u32 = 54;
pub const PCI_CB_IO_LIMIT_1: u32 = 56;
pub const PCI_CB_IO_LIMIT_1_HI: u32 = 58;
pub const PCI_CB_IO_RANGE_MASK: i32 = -4;
pub const PCI_CB_BRIDGE_CONTROL: u32 = 62;
pub const PCI_CB_BRIDGE_CTL_PARITY: u32 = 1;
pub const PCI_CB_BRIDGE_CTL_SERR: u32 = 2;
pub const PCI_CB_BRIDGE_CTL_ISA: u32 = 4;
pub const PCI_CB_BRIDGE_CTL_VGA: u32 = 8;
pub const PCI_CB_BRIDGE_CTL_MASTER_ABORT: u32 = 32;
pub const PCI_CB_BRIDGE_CTL_CB_RESET: u32 = 64;
pub const PCI_CB_BRIDGE_CTL_16BIT_INT: u32 = 128;
pub const PCI_CB_BRIDGE_CTL_PREFETCH_MEM0: u32 = 256;
pub const PCI_CB_BRIDGE_CTL_PREFETCH_MEM1: u32 = 512;
pub const PCI_CB_BRIDGE_CTL_POST_WRITES: u32 = 1024;
pub const PCI_CB_SUBSYSTEM_VENDOR_ID: u32 = 64;
pub const PCI_CB_SUBSYSTEM_ID: u32 = 66;
pub const PCI_CB_LEGACY_MODE_BASE: u32 = 68;
pub const PCI_CAP_ID_MASK: u32 = 255;
pub const PCI_CAP_LIST_NEXT_MASK: u32 = 65280;
pub const PCI_CAP_LIST_ID: u32 = 0;
pub const PCI_CAP_ID_PM: u32 = 1;
pub const PCI_CAP_ID_AGP: u32 = 2;
pub const PCI_CAP_ID_VPD: u32 = 3;
pub const PCI_CAP_ID_SLOTID: u32 = 4;
pub const PCI_CAP_ID_MSI: u32 = 5;
pub const PCI_CAP_ID_CHSWP: u32 = 6;
pub const PCI_CAP_ID_PCIX: u32 = 7;
pub const PCI_CAP_ID_HT: u32 = 8;
pub const PCI_CAP_ID_VNDR: u32 = 9;
pub const PCI_CAP_ID_DBG: u32 = 10;
pub const PCI_CAP_ID_CCRC: u32 = 11;
pub const PCI_CAP_ID_SHPC: u32 = 12;
pub const PCI_CAP_ID_SSVID: u32 = 13;
pub const PCI_CAP_ID_AGP3: u32 = 14;
pub const PCI_CAP_ID_SECDEV: u32 = 15;
pub const PCI_CAP_ID_EXP: u32 = 16;
pub const PCI_CAP_ID_MSIX: u32 = 17;
pub const PCI_CAP_ID_SATA: u32 = 18;
pub const PCI_CAP_ID_AF: u32 = 19;
pub const PCI_CAP_ID_EA: u32 = 20;
pub const PCI_CAP_ID_MAX: u32 = 20;
pub const PCI_CAP_LIST_NEXT: u32 = 1;
pub const PCI_CAP_FLAGS: u32 = 2;
pub const PCI_CAP_SIZEOF: u32 = 4;
pub const PCI_PM_PMC: u32 = 2;
pub const PCI_PM_CAP_VER_MASK: u32 = 7;
pub const PCI_PM_CAP_PME_CLOCK: u32 = 8;
pub const PCI_PM_CAP_RESERVED: u32 = 16;
pub const PCI_PM_CAP_DSI: u32 = 32;
pub const PCI_PM_CAP_AUX_POWER: u32 = 448;
pub const PCI_PM_CAP_D1: u32 = 512;
pub const PCI_PM_CAP_D2: u32 = 1024;
pub const PCI_PM_CAP_PME: u32 = 2048;
pub const PCI_PM_CAP_PME_MASK: u32 = 63488;
pub const PCI_PM_CAP_PME_D0: u32 = 2048;
pub const PCI_PM_CAP_PME_D1: u32 = 4096;
pub const PCI_PM_CAP_PME_D2: u32 = 8192;
pub const PCI_PM_CAP_PME_SHIFT: u32 = 11;
pub const PCI_PM_CTRL: u32 = 4;
pub const PCI_PM_CTRL_STATE_MASK: u32 = 3;
pub const PCI_PM_CTRL_NO_SOFT_RESET: u32 = 8;
pub const PCI_PM_CTRL_PME_ENABLE: u32 = 256;
pub const PCI_PM_CTRL_DATA_SEL_MASK: u32 = 7680;
pub const PCI_PM_CTRL_DATA_SCALE_MASK: u32 = 24576;
pub const PCI_PM_CTRL_PME_STATUS: u32 = 32768;
pub const PCI_PM_PPB_EXTENSIONS: u32 = 6;
pub const PCI_PM_PPB_B2_B3: u32 = 64;
pub const PCI_PM_BPCC_ENABLE: u32 = 128;
pub const PCI_PM_DATA_REGISTER: u32 = 7;
pub const PCI_PM_SIZEOF: u32 = 8;
pub const PCI_AGP_VERSION: u32 = 2;
pub const PCI_AGP_RFU: u32 = 3;
pub const PCI_AGP_STATUS: u32 = 4;
pub const PCI_AGP_STATUS_RQ_MASK: u32 = 4278190080;
pub const PCI_AGP_STATUS_SBA: u32 = 512;
pub const PCI_AGP_STATUS_64BIT: u32 = 32;
pub const PCI_AGP_STATUS_FW: u32 = 16;
pub const PCI_AGP_STATUS_RATE4: u32 = 4;
pub const PCI_AGP_STATUS_RATE2: u32 = 2;
pub const PCI_AGP_STATUS_RATE1: u32 = 1;
pub const PCI_AGP_COMMAND: u32 = 8;
pub const PCI_AGP_COMMAND_RQ_MASK: u32 = 4278190080;
pub const PCI_AGP_COMMAND_SBA: u32 = 512;
pub const PCI_AGP_COMMAND_AGP: u32 = 256;
pub const PCI_AGP_COMMAND_64BIT: u32 = 32;
pub const PCI_AGP_COMMAND_FW: u32 = 16;
pub const PCI_AGP_COMMAND_RATE4: u32 = 4;
pub const PCI_AGP_COMMAND_RATE2: u32 = 2;
pub const PCI_AGP_COMMAND_RATE1: u32 = 1;
pub const PCI_AGP_SIZEOF: u32 = 12;
pub const PCI_VPD_ADDR: u32 = 2;
pub const PCI_VPD_ADDR_MASK: u32 = 32767;
pub const PCI_VPD_ADDR_F: u32 = 32768;
pub const PCI_VPD_DATA: u32 = 4;
pub const PCI_CAP_VPD_SIZEOF: u32 = 8;
pub const PCI_SID_ESR: u32 = 2;
pub const PCI_SID_ESR_NSLOTS: u32 = 31;
pub const PCI_SID_ESR_FIC: u32 = 32;
pub const PCI_SID_CHASSIS_NR: u32 = 3;
pub const PCI_MSI_FLAGS: u32 = 2;
pub const PCI_MSI_FLAGS_ENABLE: u32 = 1;
pub const PCI_MSI_FLAGS_QMASK: u32 = 14;
pub const PCI_MSI_FLAGS_QSIZE: u32 = 112;
pub const PCI_MSI_FLAGS_64BIT: u32 = 128;
pub const PCI_MSI_FLAGS_MASKBIT: u32 = 256;
pub const PCI_MSI_RFU: u32 = 3;
pub const PCI_MSI_ADDRESS_LO: u32 = 4;
pub const PCI_MSI_ADDRESS_HI: u32 = 8;
pub const PCI_MSI_DATA_32: u32 = 8;
pub const PCI_MSI_MASK_32: u32 = 12;
pub const PCI_MSI_PENDING_32: u32 = 16;
pub const PCI_MSI_DATA_64: u32 = 12;
pub const PCI_MSI_MASK_64: u32 = 16;
pub const PCI_MSI_PENDING_64: u32 = 20;
pub const PCI_MSIX_FLAGS: u32 = 2;
pub const PCI_MSIX_FLAGS_QSIZE: u32 = 2047;
pub const PCI_MSIX_FLAGS_MASKALL: u32 = 16384;
pub const PCI_MSIX_FLAGS_ENABLE: u32 = 32768;
pub const PCI_MSIX_TABLE: u32 = 4;
pub const PCI_MSIX_TABLE_BIR: u32 = 7;
pub const PCI_MSIX_TABLE_OFFSET: u32 = 4294967288;
pub const PCI_MSIX_PBA: u32 = 8;
pub const PCI_MSIX_PBA_BIR: u32 = 7;
pub const PCI_MSIX_PBA_OFFSET: u32 = 4294967288;
pub const PCI_MSIX_FLAGS_BIRMASK: u32 = 7;
pub const PCI_CAP_MSIX_SIZEOF: u32 = 12;
pub const PCI_MSIX_ENTRY_SIZE: u32 = 16;
pub const PCI_MSIX_ENTRY_LOWER_ADDR: u32 = 0;
pub const PCI_MSIX_ENTRY_UPPER_ADDR: u32 = 4;
pub const PCI_MSIX_ENTRY_DATA: u32 = 8;
pub const PCI_MSIX_ENTRY_VECTOR_CTRL: u32 = 12;
pub const PCI_MSIX_ENTRY_CTRL_MASKBIT: u32 = 1;
pub const PCI_MSIX_ENTRY_CTRL_ST: u32 = 4294901760;
pub const PCI_CHSWP_CSR: u32 = 2;
pub const PCI_CHSWP_DHA: u32 = 1;
pub const PCI_CHSWP_EIM: u32 = 2;
pub const PCI_CHSWP_PIE: u32 = 4;
pub const PCI_CHSWP_LOO: u32 = 8;
pub const PCI_CHSWP_PI: u32 = 48;
pub const PCI_CHSWP_EXT: u32 = 64;
pub const PCI_CHSWP_INS: u32 = 128;
pub const PCI_AF_LENGTH: u32 = 2;
pub const PCI_AF_CAP: u32 = 3;
pub const PCI_AF_CAP_TP: u32 = 1;
pub const PCI_AF_CAP_FLR: u32 = 2;
pub const PCI_AF_CTRL: u32 = 4;
pub const PCI_AF_CTRL_FLR: u32 = 1;
pub const PCI_AF_STATUS: u32 = 5;
pub const PCI_AF_STATUS_TP: u32 = 1;
pub const PCI_CAP_AF_SIZEOF: u32 = 6;
pub const PCI_EA_NUM_ENT: u32 = 2;
pub const PCI_EA_NUM_ENT_MASK: u32 = 63;
pub const PCI_EA_FIRST_ENT: u32 = 4;
pub const PCI_EA_FIRST_ENT_BRIDGE: u32 = 8;
pub const PCI_EA_ES: u32 = 7;
pub const PCI_EA_BEI: u32 = 240;
pub const PCI_EA_SEC_BUS_MASK: u32 = 255;
pub const PCI_EA_SUB_BUS_MASK: u32 = 65280;
pub const PCI_EA_SUB_BUS_SHIFT: u32 = 8;
pub const PCI_EA_BEI_BAR0: u32 = 0;
pub const PCI_EA_BEI_BAR5: u32 = 5;
pub const PCI_EA_BEI_BRIDGE: u32 = 6;
pub const PCI_EA_BEI_ENI: u32 = 7;
pub const PCI_EA_BEI_ROM: u32 = 8;
pub const PCI_EA_BEI_VF_BAR0: u32 = 9;
pub const PCI_EA_BEI_VF_BAR5: u32 = 14;
pub const PCI_EA_BEI_RESERVED: u32 = 15;
pub const PCI_EA_PP: u32 = 65280;
pub const PCI_EA_SP: u32 = 16711680;
pub const PCI_EA_P_MEM: u32 = 0;
pub const PCI_EA_P_MEM_PREFETCH: u32 = 1;
pub const PCI_EA_P_IO: u32 = 2;
pub const PCI_EA_P_VF_MEM_PREFETCH: u32 = 3;
pub const PCI_EA_P_VF_MEM: u32 = 4;
pub const PCI_EA_P_BRIDGE_MEM: u32 = 5;
pub const PCI_EA_P_BRIDGE_MEM_PREFETCH: u32 = 6;
pub const PCI_EA_P_BRIDGE_IO: u32 = 7;
pub const PCI_EA_P_MEM_RESERVED: u32 = 253;
pub const PCI_EA_P_IO_RESERVED: u32 = 254;
pub const PCI_EA_P_UNAVAILABLE: u32 = 255;
pub const PCI_EA_WRITABLE: u32 = 1073741824;
pub const PCI_EA_ENABLE: u32 = 2147483648;
pub const PCI_EA_BASE: u32 = 4;
pub const PCI_EA_MAX_OFFSET: u32 = 8;
pub const PCI_EA_IS_64: u32 = 2;
pub const PCI_EA_FIELD_MASK: u32 = 4294967292;
pub const PCI_X_CMD: u32 = 2;
pub const PCI_X_CMD_DPERR_E: u32 = 1;
pub const PCI_X_CMD_ERO: u32 = 2;
pub const PCI_X_CMD_READ_512: u32 = 0;
pub const PCI_X_CMD_READ_1K: u32 = 4;
pub const PCI_X_CMD_READ_2K: u32 = 8;
pub const PCI_X_CMD_READ_4K: u32 = 12;
pub const PCI_X_CMD_MAX_READ: u32 = 12;
pub const PCI_X_CMD_SPLIT_1: u32 = 0;
pub const PCI_X_CMD_SPLIT_2: u32 = 16;
pub const PCI_X_CMD_SPLIT_3: u32 = 32;
pub const PCI_X_CMD_SPLIT_4: u32 = 48;
pub const PCI_X_CMD_SPLIT_8: u32 = 64;
pub const PCI_X_CMD_SPLIT_12: u32 = 80;
pub const PCI_X_CMD_SPLIT_16: u32 = 96;
pub const PCI_X_CMD_SPLIT_32: u32 = 112;
pub const PCI_X_CMD_MAX_SPLIT: u32 = 112;
pub const PCI_X_STATUS: u32 = 4;
pub const PCI_X_STATUS_DEVFN: u32 = 255;
pub const PCI_X_STATUS_BUS: u32 = 65280;
pub const PCI_X_STATUS_64BIT: u32 = 65536;
pub const PCI_X_STATUS_133MHZ: u32 = 131072;
pub const PCI_X_STATUS_SPL_DISC: u32 = 262144;
pub const PCI_X_STATUS_UNX_SPL: u32 = 524288;
pub const PCI_X_STATUS_COMPLEX: u32 = 1048576;
pub const PCI_X_STATUS_MAX_READ: u32 = 6291456;
pub const PCI_X_STATUS_MAX_SPLIT: u32 = 58720256;
pub const PCI_X_STATUS_MAX_CUM: u32 = 469762048;
pub const PCI_X_STATUS_SPL_ERR: u32 = 536870912;
pub const PCI_X_STATUS_266MHZ: u32 = 1073741824;
pub const PCI_X_STATUS_533MHZ: u32 = 2147483648;
pub const PCI_X_ECC_CSR: u32 = 8;
pub const PCI_CAP_PCIX_SIZEOF_V0: u32 = 8;
pub const PCI_CAP_PCIX_SIZEOF_V1: u32 = 24;
pub const PCI_CAP_PCIX_SIZEOF_V2: u32 = 24;
pub const PCI_X_BRIDGE_SSTATUS: u32 = 2;
pub const PCI_X_SSTATUS_64BIT: u32 = 1;
pub const PCI_X_SSTATUS_133MHZ: u32 = 2;
pub const PCI_X_SSTATUS_FREQ: u32 = 960;
pub const PCI_X_SSTATUS_VERS: u32 = 12288;
pub const PCI_X_SSTATUS_V1: u32 = 4096;
pub const PCI_X_SSTATUS_V2: u32 = 8192;
pub const PCI_X_SSTATUS_266MHZ: u32 = 16384;
pub const PCI_X_SSTATUS_533MHZ: u32 = 32768;
pub const PCI_X_BRIDGE_STATUS: u32 = 4;
pub const PCI_SSVID_VENDOR_ID: u32 = 4;
pub const PCI_SSVID_DEVICE_ID: u32 = 6;
pub const PCI_EXP_FLAGS: u32 = 2;
pub const PCI_EXP_FLAGS_VERS: u32 = 15;
pub const PCI_EXP_FLAGS_TYPE: u32 = 240;
pub const PCI_EXP_TYPE_ENDPOINT: u32 = 0;
pub const PCI_EXP_TYPE_LEG_END: u32 = 1;
pub const PCI_EXP_TYPE_ROOT_PORT: u32 = 4;
pub const PCI_EXP_TYPE_UPSTREAM: u32 = 5;
pub const PCI_EXP_TYPE_DOWNSTREAM: u32 = 6;
pub const PCI_EXP_TYPE_PCI_BRIDGE: u32 = 7;
pub const PCI_EXP_TYPE_PCIE_BRIDGE: u32 = 8;
pub const PCI_EXP_TYPE_RC_END: u32 = 9;
pub const PCI_EXP_TYPE_RC_EC: u32 = 10;
pub const PCI_EXP_FLAGS_SLOT: u32 = 256;
pub const PCI_EXP_FLAGS_IRQ: u32 = 15872;
pub const PCI_EXP_FLAGS_FLIT: u32 = 32768;
pub const PCI_EXP_DEVCAP: u32 = 4;
pub const PCI_EXP_DEVCAP_PAYLOAD: u32 = 7;
pub const PCI_EXP_DEVCAP_PHANTOM: u32 = 24;
pub const PCI_EXP_DEVCAP_EXT_TAG: u32 = 32;
pub const PCI_EXP_DEVCAP_L0S: u32 = 448;
pub const PCI_EXP_DEVCAP_L1: u32 = 3584;
pub const PCI_EXP_DEVCAP_ATN_BUT: u32 = 4096;
pub const PCI_EXP_DEVCAP_ATN_IND: u32 = 8192;
pub const PCI_EXP_DEVCAP_PWR_IND: u32 = 16384;
pub const PCI_EXP_DEVCAP_RBER: u32 = 32768;
pub const PCI_EXP_DEVCAP_PWR_VAL: u32 = 66846720;
pub const PCI_EXP_DEVCAP_PWR_SCL: u32 = 201326592;
pub const PCI_EXP_DEVCAP_FLR: u32 = 268435456;
pub const PCI_EXP_DEVCAP_TEE: u32 = 1073741824;
pub const PCI_EXP_DEVCTL: u32 = 8;
pub const PCI_EXP_DEVCTL_CERE: u32 = 1;
pub const PCI_EXP_DEVCTL_NFERE: u32 = 2;
pub const PCI_EXP_DEVCTL_FERE: u32 = 4;
pub const PCI_EXP_DEVCTL_URRE: u32 = 8;
pub const PCI_EXP_DEVCTL_RELAX_EN: u32 = 16;
pub const PCI_EXP_DEVCTL_PAYLOAD: u32 = 224;
pub const PCI_EXP_DEVCTL_PAYLOAD_128B: u32 = 0;
pub const PCI_EXP_DEVCTL_PAYLOAD_256B: u32 = 32;
pub const PCI_EXP_DEVCTL_PAYLOAD_512B: u32 = 64;
pub const PCI_EXP_DEVCTL_PAYLOAD_1024B: u32 = 96;
pub const PCI_EXP_DEVCTL_PAYLOAD_2048B: u32 = 128;
pub const PCI_EXP_DEVCTL_PAYLOAD_4096B: u32 = 160;
pub const PCI_EXP_DEVCTL_EXT_TAG: u32 = 256;
pub const PCI_EXP_DEVCTL_PHANTOM: u32 = 512;
pub const PCI_EXP_DEVCTL_AUX_PME: u32 = 1024;
pub const PCI_EXP_DEVCTL_NOSNOOP_EN: u32 = 2048;
pub const PCI_EXP_DEVCTL_READRQ: u32 = 28672;
pub const PCI_EXP_DEVCTL_READRQ_128B: u32 = 0;
pub const PCI_EXP_DEVCTL_READRQ_256B: u32 = 4096;
pub const PCI_EXP_DEVCTL_READRQ_512B: u32 = 8192;
pub const PCI_EXP_DEVCTL_READRQ_1024B: u32 = 12288;
pub const PCI_EXP_DEVCTL_READRQ_2048B: u32 = 16384;
pub const PCI_EXP_DEVCTL_READRQ_4096B: u32 = 20480;
pub const PCI_EXP_DEVCTL_BCR_FLR: u32 = 32768;
pub const PCI_EXP_DEVSTA: u32 = 10;
pub const PCI_EXP_DEVSTA_CED: u32 = 1;
pub const PCI_EXP_DEVSTA_NFED: u32 = 2;
pub const PCI_EXP_DEVSTA_FED: u32 = 4;
pub const PCI_EXP_DEVSTA_URD: u32 = 8;
pub const PCI_EXP_DEVSTA_AUXPD: u32 = 16;
pub const PCI_EXP_DEVSTA_TRPND: u32 = 32;
pub const PCI_CAP_EXP_RC_ENDPOINT_SIZEOF_V1: u32 = 12;
pub const PCI_EXP_LNKCAP: u32 = 12;
pub const PCI_EXP_LNKCAP_SLS: u32 = 15;
pub const PCI_EXP_LNKCAP_SLS_2_5GB: u32 = 1;
pub const PCI_EXP_LNKCAP_SLS_5_0GB: u32 = 2;
pub const PCI_EXP_LNKCAP_SLS_8_0GB: u32 = 3;
pub const PCI_EXP_LNKCAP_SLS_16_0GB: u32 = 4;
pub const PCI_EXP_LNKCAP_SLS_32_0GB: u32 = 5;
pub const PCI_EXP_LNKCAP_SLS_64_0GB: u32 = 6;
pub const PCI_EXP_LNKCAP_MLW: u32 = 1008;
pub const PCI_EXP_LNKCAP_ASPMS: u32 = 3072;
pub const PCI_EXP_LNKCAP_ASPM_L0S: u32 = 1024;
pub const PCI_EXP_LNKCAP_ASPM_L1: u32 = 2048;
pub const PCI_EXP_LNKCAP_L0SEL: u32 = 28672;
pub const PCI_EXP_LNKCAP_L1EL: u32 = 229376;
pub const PCI_EXP_LNKCAP_CLKPM: u32 = 262144;
pub const PCI_EXP_LNKCAP_SDERC: u32 = 524288;
pub const PCI_EXP_LNKCAP_DLLLARC: u32 = 1048576;
pub const PCI_EXP_LNKCAP_LBNC: u32 = 2097152;
pub const PCI_EXP_LNKCAP_PN: u32 = 4278190080;
pub const PCI_EXP_LNKCTL: u32 = 16;
pub const PCI_EXP_LNKCTL_ASPMC: u32 = 3;
pub const PCI_EXP_LNKCTL_ASPM_L0S: u32 = 1;
pub const PCI_EXP_LNKCTL_ASPM_L1: u32 = 2;
pub const PCI_EXP_LNKCTL_RCB: u32 = 8;
pub const PCI_EXP_LNKCTL_LD: u32 = 16;
pub const PCI_EXP_LNKCTL_RL: u32 = 32;
pub const PCI_EXP_LNKCTL_CCC: u32 = 64;
pub const PCI_EXP_LNKCTL_ES: u32 = 128;
pub const PCI_EXP_LNKCTL_CLKREQ_EN: u32 = 256;
pub const PCI_EXP_LNKCTL_HAWD: u32 = 512;
pub const PCI_EXP_LNKCTL_LBMIE: u32 = 1024;
pub const PCI_EXP_LNKCTL_LABIE: u32 = 2048;
pub const PCI_EXP_LNKSTA: u32 = 18;
pub const PCI_EXP_LNKSTA_CLS: u32 = 15;
pub const PCI_EXP_LNKSTA_CLS_2_5GB: u32 = 1;
pub const PCI_EXP_LNKSTA_CLS_5_0GB: u32 = 2;
pub const PCI_EXP_LNKSTA_CLS_8_0GB: u32 = 3;
pub const PCI_EXP_LNKSTA_CLS_16_0GB: u32 = 4;
pub const PCI_EXP_LNKSTA_CLS_32_0GB: u32 = 5;
pub const PCI_EXP_LNKSTA_CLS_64_0GB: u32 = 6;
pub const PCI_EXP_LNKSTA_NLW: u32 = 1008;
pub const PCI_EXP_LNKSTA_NLW_X1: u32 = 16;
pub const PCI_EXP_LNKSTA_NLW_X2: u32 = 32;
pub const PCI_EXP_LNKSTA_NLW_X4: u32 = 64;
pub const PCI_EXP_LNKSTA_NLW_X8: u32 = 128;
pub const PCI_EXP_LNKSTA_NLW_SHIFT: u32 = 4;
pub const PCI_EXP_LNKSTA_LT: u32 = 2048;
pub const PCI_EXP_LNKSTA_SLC: u32 = 4096;
pub const PCI_EXP_LNKSTA_DLLLA: u32 = 8192;
pub const PCI_EXP_LNKSTA_LBMS: u32 = 16384;
pub const PCI_EXP_LNKSTA_LABS: u32 = 32768;
pub const PCI_CAP_EXP_ENDPOINT_SIZEOF_V1: u32 = 20;
pub const PCI_EXP_SLTCAP: u32 = 20;
pub const PCI_EXP_SLTCAP_ABP: u32 = 1;
pub const PCI_EXP_SLTCAP_PCP: u32 = 2;
pub const PCI_EXP_SLTCAP_MRLSP: u32 = 4;
pub const PCI_EXP_SLTCAP_AIP: u32 = 8;
pub const PCI_EXP_SLTCAP_PIP: u32 = 16;
pub const PCI_EXP_SLTCAP_HPS: u32 = 32;
pub const PCI_EXP_SLTCAP_HPC: u32 = 64;
pub const PCI_EXP_SLTCAP_SPLV: u32 = 32640;
pub const PCI_EXP_SLTCAP_SPLS: u32 = 98304;
pub const PCI_EXP_SLTCAP_EIP: u32 = 131072;
pub const PCI_EXP_SLTCAP_NCCS: u32 = 262144;
pub const PCI_EXP_SLTCAP_PSN: u32 = 4294443008;
pub const PCI_EXP_SLTCTL: u32 = 24;
pub const PCI_EXP_SLTCTL_ABPE: u32 = 1;
pub const PCI_EXP_SLTCTL_PFDE: u32 = 2;
pub const PCI_EXP_SLTCTL_MRLSCE: u32 = 4;
pub const PCI_EXP_SLTCTL_PDCE: u32 = 8;
pub const PCI_EXP_SLTCTL_CCIE: u32 = 16;
pub const PCI_EXP_SLTCTL_HPIE: u32 = 32;
pub const PCI_EXP_SLTCTL_AIC: u32 = 192;
pub const PCI_EXP_SLTCTL_ATTN_IND_SHIFT: u32 = 6;
pub const PCI_EXP_SLTCTL_ATTN_IND_ON: u32 = 64;
pub const PCI_EXP_SLTCTL_ATTN_IND_BLINK: u32 = 128;
pub const PCI_EXP_SLTCTL_ATTN_IND_OFF: u32 = 192;
pub const PCI_EXP_SLTCTL_PIC: u32 = 768;
pub const PCI_EXP_SLTCTL_PWR_IND_ON: u32 = 256;
pub const PCI_EXP_SLTCTL_PWR_IND_BLINK: u32 = 512;
pub const PCI_EXP_SLTCTL_PWR_IND_OFF: u32 = 768;
pub const PCI_EXP_SLTCTL_PCC: u32 = 1024;
pub const PCI_EXP_SLTCTL_PWR_ON: u32 = 0;
pub const PCI_EXP_SLTCTL_PWR_OFF: u32 = 1024;
pub const PCI_EXP_SLTCTL_EIC: u32 = 2048;
pub const PCI_EXP_SLTCTL_DLLSCE: u32 = 4096;
pub const PCI_EXP_SLTCTL_ASPL_DISABLE: u32 = 8192;
pub const PCI_EXP_SLTCTL_IBPD_DISABLE: u32 = 16384;
pub const PCI_EXP_SLTSTA: u32 = 26;
pub const PCI_EXP_SLTSTA_ABP: u32 = 1;
pub const PCI_EXP_SLTSTA_PFD: u32 = 2;
pub const PCI_EXP_SLTSTA_MRLSC: u32 = 4;
pub const PCI_EXP_SLTSTA_PDC: u32 = 8;
pub const PCI_EXP_SLTSTA_CC: u32 = 16;
pub const PCI_EXP_SLTSTA_MRLSS: u32 = 32;
pub const PCI_EXP_SLTSTA_PDS: u32 = 64;
pub const PCI_EXP_SLTSTA_EIS: u32 = 128;
pub const PCI_EXP_SLTSTA_DLLSC: u32 = 256;
pub const PCI_EXP_RTCTL: u32 = 28;
pub const PCI_EXP_RTCTL_SECEE: u32 = 1;
pub const PCI_EXP_RTCTL_SENFEE: u32 = 2;
pub const PCI_EXP_RTCTL_SEFEE: u32 = 4;
pub const PCI_EXP_RTCTL_PMEIE: u32 = 8;
pub const PCI_EXP_RTCTL_RRS_SVE: u32 = 16;
pub const PCI_EXP_RTCTL_CRSSVE: u32 = 16;
pub const PCI_EXP_RTCAP: u32 = 30;
pub const PCI_EXP_RTCAP_RRS_SV: u32 = 1;
pub const PCI_EXP_RTCAP_CRSVIS: u32 = 1;
pub const PCI_EXP_RTSTA: u32 = 32;
pub const PCI_EXP_RTSTA_PME_RQ_ID: u32 = 65535;
pub const PCI_EXP_RTSTA_PME: u32 = 65536;
pub const PCI_EXP_RTSTA_PENDING: u32 = 131072;
pub const PCI_EXP_DEVCAP2: u32 = 36;
pub const PCI_EXP_DEVCAP2_COMP_TMOUT_DIS: u32 = 16;
pub const PCI_EXP_DEVCAP2_ARI: u32 = 32;
pub const PCI_EXP_DEVCAP2_ATOMIC_ROUTE: u32 = 64;
pub const PCI_EXP_DEVCAP2_ATOMIC_COMP32: u32 = 128;
pub const PCI_EXP_DEVCAP2_ATOMIC_COMP64: u32 = 256;
pub const PCI_EXP_DEVCAP2_ATOMIC_COMP128: u32 = 512;
pub const PCI_EXP_DEVCAP2_LTR: u32 = 2048;
pub const PCI_EXP_DEVCAP2_TPH_COMP_MASK: u32 = 12288;
pub const PCI_EXP_DEVCAP2_OBFF_MASK: u32 = 786432;
pub const PCI_EXP_DEVCAP2_OBFF_MSG: u32 = 262144;
pub const PCI_EXP_DEVCAP2_OBFF_WAKE: u32 = 524288;
pub const PCI_EXP_DEVCAP2_EE_PREFIX: u32 = 2097152;
pub const PCI_EXP_DEVCAP2_EE_PREFIX_MAX: u32 = 12582912;
pub const PCI_EXP_DEVCTL2: u32 = 40;
pub const PCI_EXP_DEVCTL2_COMP_TIMEOUT: u32 = 15;
pub const PCI_EXP_DEVCTL2_COMP_TMOUT_DIS: u32 = 16;
pub const PCI_EXP_DEVCTL2_ARI: u32 = 32;
pub const PCI_EXP_DEVCTL2_ATOMIC_REQ: u32 = 64;
pub const PCI_EXP_DEVCTL2_ATOMIC_EGRESS_BLOCK: u32 = 128;
pub const PCI_EXP_DEVCTL2_IDO_REQ_EN: u32 = 256;
pub const PCI_EXP_DEVCTL2_IDO_CMP_EN: u32 = 512;
pub const PCI_EXP_DEVCTL2_LTR_EN: u32 = 1024;
pub const PCI_EXP_DEVCTL2_OBFF_MSGA_EN: u32 = 8192;
pub const PCI_EXP_DEVCTL2_OBFF_MSGB_EN: u32 = 16384;
pub const PCI_EXP_DEVCTL2_OBFF_WAKE_EN: u32 = 24576;
pub const PCI_EXP_DEVSTA2: u32 = 42;
pub const PCI_CAP_EXP_RC_ENDPOINT_SIZEOF_V2: u32 = 44;
pub const PCI_EXP_LNKCAP2: u32 = 44;
pub const PCI_EXP_LNKCAP2_SLS: u32 = 254;
pub const PCI_EXP_LNKCAP2_SLS_2_5GB: u32 = 2;
pub const PCI_EXP_LNKCAP2_SLS_5_0GB: u32 = 4;
pub const PCI_EXP_LNKCAP2_SLS_8_0GB: u32 = 8;
pub const PCI_EXP_LNKCAP2_SLS_16_0GB: u32 = 16;
pub const PCI_EXP_LNKCAP2_SLS_32_0GB: u32 = 32;
pub const PCI_EXP_LNKCAP2_SLS_64_0GB: u32 = 64;
pub const PCI_EXP_LNKCAP2_CROSSLINK: u32 = 256;
pub const PCI_EXP_LNKCTL2: u32 = 48;
pub const PCI_EXP_LNKCTL2_TLS: u32 = 15;
pub const PCI_EXP_LNKCTL2_TLS_2_5GT: u32 = 1;
pub const PCI_EXP_LNKCTL2_TLS_5_0GT: u32 = 2;
pub const PCI_EXP_LNKCTL2_TLS_8_0GT: u32 = 3;
pub const PCI_EXP_LNKCTL2_TLS_16_0GT: u32 = 4;
pub const PCI_EXP_LNKCTL2_TLS_32_0GT: u32 = 5;
pub const PCI_EXP_LNKCTL2_TLS_64_0GT: u32 = 6;
pub const PCI_EXP_LNKCTL2_ENTER_COMP: u32 = 16;
pub const PCI_EXP_LNKCTL2_TX_MARGIN: u32 = 896;
pub const PCI_EXP_LNKCTL2_HASD: u32 = 32;
pub const PCI_EXP_LNKSTA2: u32 = 50;
pub const PCI_EXP_LNKSTA2_FLIT: u32 = 1024;
pub const PCI_CAP_EXP_ENDPOINT_SIZEOF_V2: u32 = 52;
pub const PCI_EXP_SLTCAP2: u32 = 52;
pub const PCI_EXP_SLTCAP2_IBPD: u32 = 1;
pub const PCI_EXP_SLTCTL2: u32 = 56;
pub const PCI_EXP_SLTSTA2: u32 = 58;
pub const PCI_EXT_CAP_ID_ERR: u32 = 1;
pub const PCI_EXT_CAP_ID_VC: u32 = 2;
pub const PCI_EXT_CAP_ID_DSN: u32 = 3;
pub const PCI_EXT_CAP_ID_PWR: u32 = 4;
pub const PCI_EXT_CAP_ID_RCLD: u32 = 5;
pub const PCI_EXT_CAP_ID_RCILC: u32 = 6;
pub const PCI_EXT_CAP_ID_RCEC: u32 = 7;
pub const PCI_EXT_CAP_ID_MFVC: u32 = 8;
pub const PCI_EXT_CAP_ID_VC9: u32 = 9;
pub const PCI_EXT_CAP_ID_RCRB: u32 = 10;
pub const PCI_EXT_CAP_ID_VNDR: u32 = 11;
pub const PCI_EXT_CAP_ID_CAC: u32 = 12;
pub const PCI_EXT_CAP_ID_ACS: u32 = 13;
pub const PCI_EXT_CAP_ID_ARI: u32 = 14;
pub const PCI_EXT_CAP_ID_ATS: u32 = 15;
pub const PCI_EXT_CAP_ID_SRIOV: u32 = 16;
pub const PCI_EXT_CAP_ID_MRIOV: u32 = 17;
pub const PCI_EXT_CAP_ID_MCAST: u32 = 18;
pub const PCI_EXT_CAP_ID_PRI: u32 = 19;
pub const PCI_EXT_CAP_ID_AMD_XXX: u32 = 20;
pub const PCI_EXT_CAP_ID_REBAR: u32 = 21;
pub const PCI_EXT_CAP_ID_DPA: u32 = 22;
pub const PCI_EXT_CAP_ID_TPH: u32 = 23;
pub const PCI_EXT_CAP_ID_LTR: u32 = 24;
pub const PCI_EXT_CAP_ID_SECPCI: u32 = 25;
pub const PCI_EXT_CAP_ID_PMUX: u32 = 26;
pub const PCI_EXT_CAP_ID_PASID: u32 = 27;
pub const PCI_EXT_CAP_ID_DPC: u32 = 29;
pub const PCI_EXT_CAP_ID_L1SS: u32 = 30;
pub const PCI_EXT_CAP_ID_PTM: u32 = 31;
pub const PCI_EXT_CAP_ID_DVSEC: u32 = 35;
pub const PCI_EXT_CAP_ID_VF_REBAR: u32 = 36;
pub const PCI_EXT_CAP_ID_DLF: u32 = 37;
pub const PCI_EXT_CAP_ID_PL_16GT: u32 = 38;
pub const PCI_EXT_CAP_ID_NPEM: u32 = 41;
pub const PCI_EXT_CAP_ID_PL_32GT: u32 = 42;
pub const PCI_EXT_CAP_ID_DOE: u32 = 46;
pub const PCI_EXT_CAP_ID_DEV3: u32 = 47;
pub const PCI_EXT_CAP_ID_IDE: u32 = 48;
pub const PCI_EXT_CAP_ID_PL_64GT: u32 = 49;
pub const PCI_EXT_CAP_ID_MAX: u32 = 49;
pub const PCI_EXT_CAP_DSN_SIZEOF: u32 = 12;
pub const PCI_EXT_CAP_MCAST_ENDPOINT_SIZEOF: u32 = 40;
pub const PCI_ERR_UNCOR_STATUS: u32 = 4;
pub const PCI_ERR_UNC_UND: u32 = 1;
pub const PCI_ERR_UNC_DLP: u32 = 16;
pub const PCI_ERR_UNC_SURPDN: u32 = 32;
pub const PCI_ERR_UNC_POISON_TLP: u32 = 4096;
pub const PCI_ERR_UNC_FCP: u32 = 8192;
pub const PCI_ERR_UNC_COMP_TIME: u32 = 16384;
pub const PCI_ERR_UNC_COMP_ABORT: u32 = 32768;
pub const PCI_ERR_UNC_UNX_COMP: u32 = 65536;
pub const PCI_ERR_UNC_RX_OVER: u32 = 131072;
pub const PCI_ERR_UNC_MALF_TLP: u32 = 262144;
pub const PCI_ERR_UNC_ECRC: u32 = 524288;
pub const PCI_ERR_UNC_UNSUP: u32 = 1048576;
pub const PCI_ERR_UNC_ACSV: u32 = 2097152;
pub const PCI_ERR_UNC_INTN: u32 = 4194304;
pub const PCI_ERR_UNC_MCBTLP: u32 = 8388608;
pub const PCI_ERR_UNC_ATOMEG: u32 = 16777216;
pub const PCI_ERR_UNC_TLPPRE: u32 = 33554432;
pub const PCI_ERR_UNC_POISON_BLK: u32 = 67108864;
pub const PCI_ERR_UNC_DMWR_BLK: u32 = 134217728;
pub const PCI_ERR_UNC_IDE_CHECK: u32 = 268435456;
pub const PCI_ERR_UNC_MISR_IDE: u32 = 536870912;
pub const PCI_ERR_UNC_PCRC_CHECK: u32 = 1073741824;
pub const PCI_ERR_UNC_XLAT_BLK: u32 = 2147483648;
pub const PCI_ERR_UNCOR_MASK: u32 = 8;
pub const PCI_ERR_UNCOR_SEVER: u32 = 12;
pub const PCI_ERR_COR_STATUS: u32 = 16;
pub const PCI_ERR_COR_RCVR: u32 = 1;
pub const PCI_ERR_COR_BAD_TLP: u32 = 64;
pub const PCI_ERR_COR_BAD_DLLP: u32 = 128;
pub const PCI_ERR_COR_REP_ROLL: u32 = 256;
pub const PCI_ERR_COR_REP_TIMER: u32 = 4096;
pub const PCI_ERR_COR_ADV_NFAT: u32 = 8192;
pub const PCI_ERR_COR_INTERNAL: u32 = 16384;
pub const PCI_ERR_COR_LOG_OVER: u32 = 32768;
pub const PCI_ERR_COR_MASK: u32 = 20;
pub const PCI_ERR_CAP: u32 = 24;
pub const PCI_ERR_CAP_ECRC_GENC: u32 = 32;
pub const PCI_ERR_CAP_ECRC_GENE: u32 = 64;
pub const PCI_ERR_CAP_ECRC_CHKC: u32 = 128;
pub const PCI_ERR_CAP_ECRC_CHKE: u32 = 256;
pub const PCI_ERR_CAP_PREFIX_LOG_PRESENT: u32 = 2048;
pub const PCI_ERR_CAP_COMP_TIME_LOG: u32 = 4096;
pub const PCI_ERR_CAP_TLP_LOG_FLIT: u32 = 262144;
pub const PCI_ERR_CAP_TLP_LOG_SIZE: u32 = 16252928;
pub const PCI_ERR_HEADER_LOG: u32 = 28;
pub const PCI_ERR_ROOT_COMMAND: u32 = 44;
pub const PCI_ERR_ROOT_CMD_COR_EN: u32 = 1;
pub const PCI_ERR_ROOT_CMD_NONFATAL_EN: u32 = 2;
pub const PCI_ERR_ROOT_CMD_FATAL_EN: u32 = 4;
pub const PCI_ERR_ROOT_STATUS: u32 = 48;
pub const PCI_ERR_ROOT_COR_RCV: u32 = 1;
pub const PCI_ERR_ROOT_MULTI_COR_RCV: u32 = 2;
pub const PCI_ERR_ROOT_UNCOR_RCV: u32 = 4;
pub const PCI_ERR_ROOT_MULTI_UNCOR_RCV: u32 = 8;
pub const PCI_ERR_ROOT_FIRST_FATAL: u32 = 16;
pub const PCI_ERR_ROOT_NONFATAL_RCV: u32 = 32;
pub const PCI_ERR_ROOT_FATAL_RCV: u32 = 64;
pub const PCI_ERR_ROOT_AER_IRQ: u32 = 4160749568;
pub const PCI_ERR_ROOT_ERR_SRC: u32 = 52;
pub const PCI_ERR_PREFIX_LOG: u32 = 56;
pub const PCI_VC_PORT_CAP1: u32 = 4;
pub const PCI_VC_CAP1_EVCC: u32 = 7;
pub const PCI_VC_CAP1_LPEVCC: u32 = 112;
pub const PCI_VC_CAP1_ARB_SIZE: u32 = 3072;
pub const PCI_VC_PORT_CAP2: u32 = 8;
pub const PCI_VC_CAP2_32_PHASE: u32 = 2;
pub const PCI_VC_CAP2_64_PHASE: u32 = 4;
pub const PCI_VC_CAP2_128_PHASE: u32 = 8;
pub const PCI_VC_CAP2_ARB_OFF: u32 = 4278190080;
pub const PCI_VC_PORT_CTRL: u32 = 12;
pub const PCI_VC_PORT_CTRL_LOAD_TABLE: u32 = 1;
pub const PCI_VC_PORT_STATUS: u32 = 14;
pub const PCI_VC_PORT_STATUS_TABLE: u32 = 1;
pub const PCI_VC_RES_CAP: u32 = 16;
pub const PCI_VC_RES_CAP_32_PHASE: u32 = 2;
pub const PCI_VC_RES_CAP_64_PHASE: u32 = 4;
pub const PCI_VC_RES_CAP_128_PHASE: u32 = 8;
pub const PCI_VC_RES_CAP_128_PHASE_TB: u32 = 16;
pub const PCI_VC_RES_CAP_256_PHASE: u32 = 32;
pub const PCI_VC_RES_CAP_ARB_OFF: u32 = 4278190080;
pub const PCI_VC_RES_CTRL: u32 = 20;
pub const PCI_VC_RES_CTRL_LOAD_TABLE: u32 = 65536;
pub const PCI_VC_RES_CTRL_ARB_SELECT: u32 = 917504;
pub const PCI_VC_RES_CTRL_ID: u32 = 117440512;
pub const PCI_VC_RES_CTRL_ENABLE: u32 = 2147483648;
pub const PCI_VC_RES_STATUS: u32 = 26;
pub const PCI_VC_RES_STATUS_TABLE: u32 = 1;
pub const PCI_VC_RES_STATUS_NEGO: u32 = 2;
pub const PCI_CAP_VC_BASE_SIZEOF: u32 = 16;
pub const PCI_CAP_VC_PER_VC_SIZEOF: u32 = 12;
pub const PCI_PWR_DSR: u32 = 4;
pub const PCI_PWR_DATA: u32 = 8;
pub const PCI_PWR_CAP: u32 = 12;
pub const PCI_EXT_CAP_PWR_SIZEOF: u32 = 16;
pub const PCI_RCEC_RCIEP_BITMAP: u32 = 4;
pub const PCI_RCEC_BUSN: u32 = 8;
pub const PCI_RCEC_BUSN_REG_VER: u32 = 2;
pub const PCI_VNDR_HEADER: u32 = 4;
pub const PCI_ARI_CAP: u32 = 4;
pub const PCI_ARI_CAP_MFVC: u32 = 1;
pub const PCI_ARI_CAP_ACS: u32 = 2;
pub const PCI_ARI_CTRL: u32 = 6;
pub const PCI_ARI_CTRL_MFVC: u32 = 1;
pub const PCI_ARI_CTRL_ACS: u32 = 2;
pub const PCI_EXT_CAP_ARI_SIZEOF: u32 = 8;
pub const PCI_ATS_CAP: u32 = 4;
pub const PCI_ATS_MAX_QDEP: u32 = 32;
pub const PCI_ATS_CAP_PAGE_ALIGNED: u32 = 32;
pub const PCI_ATS_CTRL: u32 = 6;
pub const PCI_ATS_CTRL_ENABLE: u32 = 32768;
pub const PCI_ATS_MIN_STU: u32 = 12;
pub const PCI_EXT_CAP_ATS_SIZEOF: u32 = 8;
pub const PCI_PRI_CTRL: u32 = 4;
pub const PCI_PRI_CTRL_ENABLE: u32 = 1;
pub const PCI_PRI_CTRL_RESET: u32 = 2;
pub const PCI_PRI_STATUS: u32 = 6;
pub const PCI_PRI_STATUS_RF: u32 = 1;
pub const PCI_PRI_STATUS_UPRGI: u32 = 2;
pub const PCI_PRI_STATUS_STOPPED: u32 = 256;
pub const PCI_PRI_STATUS_PASID: u32 = 32768;
pub const PCI_PRI_MAX_REQ: u32 = 8;
pub const PCI_PRI_ALLOC_REQ: u32 = 12;
pub const PCI_EXT_CAP_PRI_SIZEOF: u32 = 16;
pub const PCI_PASID_CAP: u32 = 4;
pub const PCI_PASID_CAP_EXEC: u32 = 2;
pub const PCI_PASID_CAP_PRIV: u32 = 4;
pub const PCI_PASID_CAP_WIDTH: u32 = 7936;
pub const PCI_PASID_CTRL: u32 = 6;
pub const PCI_PASID_CTRL_ENABLE: u32 = 1;
pub const PCI_PASID_CTRL_EXEC: u32 = 2;
pub const PCI_PASID_CTRL_PRIV: u32 = 4;
pub const PCI_EXT_CAP_PASID_SIZEOF: u32 = 8;
pub const PCI_SRIOV_CAP: u32 = 4;
pub const PCI_SRIOV_CAP_VFM: u32 = 1;
pub const PCI_SRIOV_CTRL: u32 = 8;
pub const PCI_SRIOV_CTRL_VFE: u32 = 1;
pub const PCI_SRIOV_CTRL_VFM: u32 = 2;
pub const PCI_SRIOV_CTRL_INTR: u32 = 4;
pub const PCI_SRIOV_CTRL_MSE: u32 = 8;
pub const PCI_SRIOV_CTRL_ARI: u32 = 16;
pub const PCI_SRIOV_STATUS: u32 = 10;
pub const PCI_SRIOV_STATUS_VFM: u32 = 1;
pub const PCI_SRIOV_INITIAL_VF: u32 = 12;
pub const PCI_SRIOV_TOTAL_VF: u32 = 14;
pub const PCI_SRIOV_NUM_VF: u32 = 16;
pub const PCI_SRIOV_FUNC_LINK: u32 = 18;
pub const PCI_SRIOV_VF_OFFSET: u32 = 20;
pub const PCI_SRIOV_VF_STRIDE: u32 = 22;
pub const PCI_SRIOV_VF_DID: u32 = 26;
pub const PCI_SRIOV_SUP_PGSIZE: u32 = 28;
pub const PCI_SRIOV_SYS_PGSIZE: u32 = 32;
pub const PCI_SRIOV_BAR: u32 = 36;
pub const PCI_SRIOV_NUM_BARS: u32 = 6;
pub const PCI_SRIOV_VFM: u32 = 60;
pub const PCI_SRIOV_VFM_UA: u32 = 0;
pub const PCI_SRIOV_VFM_MI: u32 = 1;
pub const PCI_SRIOV_VFM_MO: u32 = 2;
pub const PCI_SRIOV_VFM_AV: u32 = 3;
pub const PCI_EXT_CAP_SRIOV_SIZEOF: u32 = 64;
pub const PCI_LTR_MAX_SNOOP_LAT: u32 = 4;
pub const PCI_LTR_MAX_NOSNOOP_LAT: u32 = 6;
pub const PCI_LTR_VALUE_MASK: u32 = 1023;
pub const PCI_LTR_SCALE_MASK: u32 = 7168;
pub const PCI_LTR_SCALE_SHIFT: u32 = 10;
pub const PCI_LTR_NOSNOOP_VALUE: u32 = 67043328;
pub const PCI_LTR_NOSNOOP_SCALE: u32 = 469762048;
pub const PCI_EXT_CAP_LTR_SIZEOF: u32 = 8;
pub const PCI_ACS_CAP: u32 = 4;
pub const PCI_ACS_SV: u32 = 1;
pub const PCI_ACS_TB: u32 = 2;
pub const PCI_ACS_RR: u32 = 4;
pub const PCI_ACS_CR: u32 = 8;
pub const PCI_ACS_UF: u32 = 16;
pub const PCI_ACS_EC: u32 = 32;
pub const PCI_ACS_DT: u32 = 64;
pub const PCI_ACS_EGRESS_BITS: u32 = 5;
pub const PCI_ACS_CTRL: u32 = 6;
pub const PCI_ACS_EGRESS_CTL_V: u32 = 8;
pub const PCI_SATA_REGS: u32 = 4;
pub const PCI_SATA_REGS_MASK: u32 = 15;
pub const PCI_SATA_REGS_INLINE: u32 = 15;
pub const PCI_SATA_SIZEOF_SHORT: u32 = 8;
pub const PCI_SATA_SIZEOF_LONG: u32 = 16;
pub const PCI_REBAR_CAP: u32 = 4;
pub const PCI_REBAR_CAP_SIZES: u32 = 4294967280;
pub const PCI_REBAR_CTRL: u32 = 8;
pub const PCI_REBAR_CTRL_BAR_IDX: u32 = 7;
pub const PCI_REBAR_CTRL_NBAR_MASK: u32 = 224;
pub const PCI_REBAR_CTRL_NBAR_SHIFT: u32 = 5;
pub const PCI_REBAR_CTRL_BAR_SIZE: u32 = 7936;
pub const PCI_REBAR_CTRL_BAR_SHIFT: u32 = 8;
pub const PCI_DPA_CAP: u32 = 4;
pub const PCI_DPA_CAP_SUBSTATE_MASK: u32 = 31;
pub const PCI_DPA_BASE_SIZEOF: u32 = 16;
pub const PCI_EXP_DEVCAP2_TPH_COMP_NONE: u32 = 0;
pub const PCI_EXP_DEVCAP2_TPH_COMP_TPH_ONLY: u32 = 1;
pub const PCI_EXP_DEVCAP2_TPH_COMP_EXT_TPH: u32 = 3;
pub const PCI_TPH_CAP: u32 = 4;
pub const PCI_TPH_CAP_ST_NS: u32 = 1;
pub const PCI_TPH_CAP_ST_IV: u32 = 2;
pub const PCI_TPH_CAP_ST_DS: u32 = 4;
pub const PCI_TPH_CAP_EXT_TPH: u32 = 256;
pub const PCI_TPH_CAP_LOC_MASK: u32 = 1536;
pub const PCI_TPH_LOC_NONE: u32 = 0;
pub const PCI_TPH_LOC_CAP: u32 = 512;
pub const PCI_TPH_LOC_MSIX: u32 = 1024;
pub const PCI_TPH_CAP_ST_MASK: u32 = 134152192;
pub const PCI_TPH_CAP_ST_SHIFT: u32 = 16;
pub const PCI_TPH_BASE_SIZEOF: u32 = 12;
pub const PCI_TPH_CTRL: u32 = 8;
pub const PCI_TPH_CTRL_MODE_SEL_MASK: u32 = 7;
pub const PCI_TPH_ST_NS_MODE: u32 = 0;
pub const PCI_TPH_ST_IV_MODE: u32 = 1;
pub const PCI_TPH_ST_DS_MODE: u32 = 2;
pub const PCI_TPH_CTRL_REQ_EN_MASK: u32 = 768;
pub const PCI_TPH_REQ_DISABLE: u32 = 0;
pub const PCI_TPH_REQ_TPH_ONLY: u32 = 1;
pub const PCI_TPH_REQ_EXT_TPH: u32 = 3;
pub const PCI_EXP_DPC_CAP: u32 = 4;
pub const PCI_EXP_DPC_IRQ: u32 = 31;
pub const PCI_EXP_DPC_CAP_RP_EXT: u32 = 32;
pub const PCI_EXP_DPC_CAP_POISONED_TLP: u32 = 64;
pub const PCI_EXP_DPC_CAP_SW_TRIGGER: u32 = 128;
pub const PCI_EXP_DPC_RP_PIO_LOG_SIZE: u32 = 3840;
pub const PCI_EXP_DPC_CAP_DL_ACTIVE: u32 = 4096;
pub const PCI_EXP_DPC_RP_PIO_LOG_SIZE4: u32 = 8192;
pub const PCI_EXP_DPC_CTL: u32 = 6;
pub const PCI_EXP_DPC_CTL_EN_FATAL: u32 = 1;
pub const PCI_EXP_DPC_CTL_EN_NONFATAL: u32 = 2;
pub const PCI_EXP_DPC_CTL_INT_EN: u32 = 8;
pub const PCI_EXP_DPC_STATUS: u32 = 8;
pub const PCI_EXP_DPC_STATUS_TRIGGER: u32 = 1;
pub const PCI_EXP_DPC_STATUS_TRIGGER_RSN: u32 = 6;
pub const PCI_EXP_DPC_STATUS_TRIGGER_RSN_UNCOR: u32 = 0;
pub const PCI_EXP_DPC_STATUS_TRIGGER_RSN_NFE: u32 = 2;
pub const PCI_EXP_DPC_STATUS_TRIGGER_RSN_FE: u32 = 4;
pub const PCI_EXP_DPC_STATUS_TRIGGER_RSN_IN_EXT: u32 = 6;
pub const PCI_EXP_DPC_STATUS_INTERRUPT: u32 = 8;
pub const PCI_EXP_DPC_RP_BUSY: u32 = 16;
pub const PCI_EXP_DPC_STATUS_TRIGGER_RSN_EXT: u32 = 96;
pub const PCI_EXP_DPC_STATUS_TRIGGER_RSN_RP_PIO: u32 = 0;
pub const PCI_EXP_DPC_STATUS_TRIGGER_RSN_SW_TRIGGER: u32 = 32;
pub const PCI_EXP_DPC_RP_PIO_FEP: u32 = 7936;
pub const PCI_EXP_DPC_SOURCE_ID: u32 = 10;
pub const PCI_EXP_DPC_RP_PIO_STATUS: u32 = 12;
pub const PCI_EXP_DPC_RP_PIO_MASK: u32 = 16;
pub const PCI_EXP_DPC_RP_PIO_SEVERITY: u32 = 20;
pub const PCI_EXP_DPC_RP_PIO_SYSERROR: u32 = 24;
pub const PCI_EXP_DPC_RP_PIO_EXCEPTION: u32 = 28;
pub const PCI_EXP_DPC_RP_PIO_HEADER_LOG: u32 = 32;
pub const PCI_EXP_DPC_RP_PIO_IMPSPEC_LOG: u32 = 48;
pub const PCI_EXP_DPC_RP_PIO_TLPPREFIX_LOG: u32 = 52;
pub const PCI_PTM_CAP: u32 = 4;
pub const PCI_PTM_CAP_REQ: u32 = 1;
pub const PCI_PTM_CAP_RES: u32 = 2;
pub const PCI_PTM_CAP_ROOT: u32 = 4;
pub const PCI_PTM_GRANULARITY_MASK: u32 = 65280;
pub const PCI_PTM_CTRL: u32 = 8;
pub const PCI_PTM_CTRL_ENABLE: u32 = 1;
pub const PCI_PTM_CTRL_ROOT: u32 = 2;
pub const PCI_L1SS_CAP: u32 = 4;
pub const PCI_L1SS_CAP_PCIPM_L1_2: u32 = 1;
pub const PCI_L1SS_CAP_PCIPM_L1_1: u32 = 2;
pub const PCI_L1SS_CAP_ASPM_L1_2: u32 = 4;
pub const PCI_L1SS_CAP_ASPM_L1_1: u32 = 8;
pub const PCI_L1SS_CAP_L1_PM_SS: u32 = 16;
pub const PCI_L1SS_CAP_CM_RESTORE_TIME: u32 = 65280;
pub const PCI_L1SS_CAP_P_PWR_ON_SCALE: u32 = 196608;
pub const PCI_L1SS_CAP_P_PWR_ON_VALUE: u32 = 16252928;
pub const PCI_L1SS_CTL1: u32 = 8;
pub const PCI_L1SS_CTL1_PCIPM_L1_2: u32 = 1;
pub const PCI_L1SS_CTL1_PCIPM_L1_1: u32 = 2;
pub const PCI_L1SS_CTL1_ASPM_L1_2: u32 = 4;
pub const PCI_L1SS_CTL1_ASPM_L1_1: u32 = 8;
pub const PCI_L1SS_CTL1_L1_2_MASK: u32 = 5;
pub const PCI_L1SS_CTL1_L1SS_MASK: u32 = 15;
pub const PCI_L1SS_CTL1_CM_RESTORE_TIME: u32 = 65280;
pub const PCI_L1SS_CTL1_LTR_L12_TH_VALUE: u32 = 67043328;
pub const PCI_L1SS_CTL1_LTR_L12_TH_SCALE: u32 = 3758096384;
pub const PCI_L1SS_CTL2: u32 = 12;
pub const PCI_L1SS_CTL2_T_PWR_ON_SCALE: u32 = 3;
pub const PCI_L1SS_CTL2_T_PWR_ON_VALUE: u32 = 248;
pub const PCI_DVSEC_HEADER1: u32 = 4;
pub const PCI_DVSEC_HEADER2: u32 = 8;
pub const PCI_VF_REBAR_CAP: u32 = 4;
pub const PCI_VF_REBAR_CAP_SIZES: u32 = 4294967280;
pub const PCI_VF_REBAR_CTRL: u32 = 8;
pub const PCI_VF_REBAR_CTRL_BAR_IDX: u32 = 7;
pub const PCI_VF_REBAR_CTRL_NBAR_MASK: u32 = 224;
pub const PCI_VF_REBAR_CTRL_BAR_SIZE: u32 = 7936;
pub const PCI_DLF_CAP: u32 = 4;
pub const PCI_DLF_EXCHANGE_ENABLE: u32 = 2147483648;
pub const PCI_SECPCI_LE_CTRL: u32 = 12;
pub const PCI_PL_16GT_LE_CTRL: u32 = 32;
pub const PCI_PL_16GT_LE_CTRL_DSP_TX_PRESET_MASK: u32 = 15;
pub const PCI_PL_16GT_LE_CTRL_USP_TX_PRESET_MASK: u32 = 240;
pub const PCI_PL_16GT_LE_CTRL_USP_TX_PRESET_SHIFT: u32 = 4;
pub const PCI_PL_32GT_LE_CTRL: u32 = 32;
pub const PCI_PL_64GT_LE_CTRL: u32 = 32;
pub const PCI_NPEM_CAP: u32 = 4;
pub const PCI_NPEM_CAP_CAPABLE: u32 = 1;
pub const PCI_NPEM_CTRL: u32 = 8;
pub const PCI_NPEM_CTRL_ENABLE: u32 = 1;
pub const PCI_NPEM_CMD_RESET: u32 = 2;
pub const PCI_NPEM_IND_OK: u32 = 4;
pub const PCI_NPEM_IND_LOCATE: u32 = 8;
pub const PCI_NPEM_IND_FAIL: u32 = 16;
pub const PCI_NPEM_IND_REBUILD: u32 = 32;
pub const PCI_NPEM_IND_PFA: u32 = 64;
pub const PCI_NPEM_IND_HOTSPARE: u32 = 128;
pub const PCI_NPEM_IND_ICA: u32 = 256;
pub const PCI_NPEM_IND_IFA: u32 = 512;
pub const PCI_NPEM_IND_IDT: u32 = 1024;
pub const PCI_NPEM_IND_DISABLED: u32 = 2048;
pub const PCI_NPEM_IND_SPEC_0: u32 = 16777216;
pub const PCI_NPEM_IND_SPEC_1: u32 = 33554432;
pub const PCI_NPEM_IND_SPEC_2: u32 = 67108864;
pub const PCI_NPEM_IND_SPEC_3: u32 = 134217728;
pub const PCI_NPEM_IND_SPEC_4: u32 = 268435456;
pub const PCI_NPEM_IND_SPEC_5: u32 = 536870912;
pub const PCI_NPEM_IND_SPEC_6: u32 = 1073741824;
pub const PCI_NPEM_IND_SPEC_7: u32 = 2147483648;
pub const PCI_NPEM_STATUS: u32 = 12;
pub const PCI_NPEM_STATUS_CC: u32 = 1;
pub const PCI_DOE_CAP: u32 = 4;
pub const PCI_DOE_CAP_INT_SUP: u32 = 1;
pub const PCI_DOE_CAP_INT_MSG_NUM: u32 = 4094;
pub const PCI_DOE_CTRL: u32 = 8;
pub const PCI_DOE_CTRL_ABORT: u32 = 1;
pub const PCI_DOE_CTRL_INT_EN: u32 = 2;
pub const PCI_DOE_CTRL_GO: u32 = 2147483648;
pub const PCI_DOE_STATUS: u32 = 12;
pub const PCI_DOE_STATUS_BUSY: u32 = 1;
pub const PCI_DOE_STATUS_INT_STATUS: u32 = 2;
pub const PCI_DOE_STATUS_ERROR: u32 = 4;
pub const PCI_DOE_STATUS_DATA_OBJECT_READY: u32 = 2147483648;
pub const PCI_DOE_WRITE: u32 = 16;
pub const PCI_DOE_READ: u32 = 20;
pub const PCI_DOE_CAP_SIZEOF: u32 = 24;
pub const PCI_DOE_DATA_OBJECT_HEADER_1_VID: u32 = 65535;
pub const PCI_DOE_DATA_OBJECT_HEADER_1_TYPE: u32 = 16711680;
pub const PCI_DOE_DATA_OBJECT_HEADER_2_LENGTH: u32 = 262143;
pub const PCI_DOE_DATA_OBJECT_DISC_REQ_3_INDEX: u32 = 255;
pub const PCI_DOE_DATA_OBJECT_DISC_REQ_3_VER: u32 = 65280;
pub const PCI_DOE_DATA_OBJECT_DISC_RSP_3_VID: u32 = 65535;
pub const PCI_DOE_DATA_OBJECT_DISC_RSP_3_TYPE: u32 = 16711680;
pub const PCI_DOE_DATA_OBJECT_DISC_RSP_3_NEXT_INDEX: u32 = 4278190080;
pub const PCI_DOE_DATA_OBJECT_DISC_RSP_3_PROTOCOL: u32 = 16711680;
pub const PCI_DEV3_CAP: u32 = 4;
pub const PCI_DEV3_CTL: u32 = 8;
pub const PCI_DEV3_STA: u32 = 12;
pub const PCI_DEV3_STA_SEGMENT: u32 = 8;
pub const PCI_IDE_CAP: u32 = 4;
pub const PCI_IDE_CAP_LINK: u32 = 1;
pub const PCI_IDE_CAP_SELECTIVE: u32 = 2;
pub const PCI_IDE_CAP_FLOWTHROUGH: u32 = 4;
pub const PCI_IDE_CAP_PARTIAL_HEADER_ENC: u32 = 8;
pub const PCI_IDE_CAP_AGGREGATION: u32 = 16;
pub const PCI_IDE_CAP_PCRC: u32 = 32;
pub const PCI_IDE_CAP_IDE_KM: u32 = 64;
pub const PCI_IDE_CAP_SEL_CFG: u32 = 128;
pub const PCI_IDE_CAP_ALG_AES_GCM_256: u32 = 0;
pub const PCI_IDE_CAP_TEE_LIMITED: u32 = 16777216;
pub const PCI_IDE_CTL: u32 = 8;
pub const PCI_IDE_CTL_FLOWTHROUGH_IDE: u32 = 4;
pub const PCI_IDE_LINK_STREAM_0: u32 = 12;
pub const PCI_IDE_LINK_BLOCK_SIZE: u32 = 8;
pub const PCI_IDE_LINK_CTL_0: u32 = 0;
pub const PCI_IDE_LINK_CTL_EN: u32 = 1;
pub const PCI_IDE_LINK_CTL_PCRC_EN: u32 = 256;
pub const PCI_IDE_LINK_STS_0: u32 = 4;
pub const PCI_IDE_LINK_STS_IDE_FAIL: u32 = 2147483648;
pub const PCI_IDE_SEL_CAP: u32 = 0;
pub const PCI_IDE_SEL_CTL: u32 = 4;
pub const PCI_IDE_SEL_CTL_EN: u32 = 1;
pub const PCI_IDE_SEL_CTL_PCRC_EN: u32 = 256;
pub const PCI_IDE_SEL_CTL_CFG_EN: u32 = 512;
pub const PCI_IDE_SEL_CTL_DEFAULT: u32 = 4194304;
pub const PCI_IDE_SEL_CTL_TEE_LIMITED: u32 = 8388608;
pub const PCI_IDE_SEL_CTL_ID_MAX: u32 = 255;
pub const PCI_IDE_SEL_STS: u32 = 8;
pub const PCI_IDE_SEL_STS_STATE_INSECURE: u32 = 0;
pub const PCI_IDE_SEL_STS_STATE_SECURE: u32 = 2;
pub const PCI_IDE_SEL_STS_IDE_FAIL: u32 = 2147483648;
pub const PCI_IDE_SEL_RID_1: u32 = 12;
pub const PCI_IDE_SEL_RID_2: u32 = 16;
pub const PCI_IDE_SEL_RID_2_VALID: u32 = 1;
pub const PCI_IDE_SEL_ADDR_BLOCK_SIZE: u32 = 12;
pub const PCI_IDE_SEL_ADDR_1_VALID: u32 = 1;
pub const PCI_DVSEC_CXL_DEVICE: u32 = 0;
pub const PCI_DVSEC_CXL_CAP: u32 = 10;
pub const PCI_DVSEC_CXL_CTRL: u32 = 12;
pub const PCI_DVSEC_CXL_FUNCTION_MAP: u32 = 2;
pub const PCI_DVSEC_CXL_PORT: u32 = 3;
pub const PCI_DVSEC_CXL_PORT_CTL: u32 = 12;
pub const PCI_DVSEC_CXL_PORT_CTL_UNMASK_SBR: u32 = 1;
pub const PCI_DVSEC_CXL_PORT_GPF: u32 = 4;
pub const PCI_DVSEC_CXL_PORT_GPF_PHASE_1_CONTROL: u32 = 12;
pub const PCI_DVSEC_CXL_PORT_GPF_PHASE_2_CONTROL: u32 = 14;
pub const PCI_DVSEC_CXL_DEVICE_GPF: u32 = 5;
pub const PCI_DVSEC_CXL_FLEXBUS_PORT: u32 = 7;
pub const PCI_DVSEC_CXL_FLEXBUS_PORT_STATUS: u32 = 14;
pub const PCI_DVSEC_CXL_REG_LOCATOR: u32 = 8;
pub const PCI_DVSEC_CXL_REG_LOCATOR_BLOCK1: u32 = 12;
pub const PCI_PM_CAP_VER_1_1: u32 = 2;
pub const PCI_PM_CAP_VER_1_2: u32 = 3;
pub const PCI_HEADER_TYPE_MULTI_FUNCTION: u32 = 128;
pub const PCI_CONFIG_HEADER_SIZE: u32 = 64;
pub const PCI_CONFIG_SPACE_SIZE: u32 = 256;
pub const PCIE_CONFIG_SPACE_SIZE: u32 = 4096;
pub const PCI_NUM_PINS: u32 = 4;
pub const QEMU_PCI_CAP_MULTIFUNCTION_BITNR: u32 = 3;
pub const QEMU_PCI_CAP_SERR_BITNR: u32 = 4;
pub const QEMU_PCI_SHPC_BITNR: u32 = 5;
pub const QEMU_PCI_SLOTID_BITNR: u32 = 6;
pub const QEMU_PCI_CAP_PM_BITNR: u32 = 14;
pub const QEMU_PCI_SKIP_RESET_ON_CPR_BITNR: u32 = 15;
pub const TYPE_PCI_BUS: &[u8; 4] = b"PCI\0";
pub const PCI_PRI_PRGI_MASK: u32 = 511;
pub const MSIX_CAP_LENGTH: u32 = 12;
pub const PCI_NO_PASID: u32 = 4294967295;
pub const PCI_ANY_PASID: u32 = 4294967294;
pub const PCI_EXP_VER1_SIZEOF: u32 = 20;
pub const PCI_EXP_VER2_SIZEOF: u32 = 60;
pub const PCI_EXT_CAP_VER_SHIFT: u32 = 16;
pub const PCI_EXT_CAP_NEXT_SHIFT: u32 = 20;
pub const PCI_EXT_CAP_NEXT_MASK: u32 = 4290772992;
pub const PCI_EXT_CAP_ALIGN: u32 = 4;
pub const PCI_EXP_FLAGS_VER1: u32 = 1;
pub const PCI_EXP_FLAGS_VER2: u32 = 2;
pub const PCI_EXP_SLTCTL_SUPPORTED: u32 = 3321;
pub const PCI_EXP_DEVCAP2_EFF: u32 = 1048576;
pub const PCI_EXP_DEVCAP2_EETLPP: u32 = 2097152;
pub const PCI_EXP_DEVCTL2_EETLPPB: u32 = 32768;
pub const PCI_ARI_VER: u32 = 1;
pub const PCI_ARI_SIZEOF: u32 = 8;
pub const PCI_PASID_VER: u32 = 1;
pub const PCI_EXT_CAP_PASID_MAX_WIDTH: u32 = 20;
pub const PCI_PASID_CAP_WIDTH_SHIFT: u32 = 8;
pub const PCI_PRI_VER: u32 = 1;
pub const PCI_ERR_VER: u32 = 2;
pub const PCI_ERR_SIZEOF: u32 = 72;
pub const PCI_ERR_UNC_SDN: u32 = 32;
pub const PCI_ERR_UNC_ATOP_EBLOCKED: u32 = 16777216;
pub const PCI_ERR_UNC_TLP_PRF_BLOCKED: u32 = 33554432;
pub const PCI_ERR_COR_ADV_NONFATAL: u32 = 8192;
pub const PCI_ERR_COR_HL_OVERFLOW: u32 = 32768;
pub const PCI_ERR_CAP_FEP_MASK: u32 = 31;
pub const PCI_ERR_CAP_MHRC: u32 = 512;
pub const PCI_ERR_CAP_MHRE: u32 = 1024;
pub const PCI_ERR_CAP_TLP: u32 = 2048;
pub const PCI_ERR_HEADER_LOG_SIZE: u32 = 16;
pub const PCI_ERR_TLP_PREFIX_LOG: u32 = 56;
pub const PCI_ERR_TLP_PREFIX_LOG_SIZE: u32 = 16;
pub const PCI_SEC_STATUS_RCV_SYSTEM_ERROR: u32 = 16384;
pub const PCI_ERR_ROOT_CMD_EN_MASK: u32 = 7;
pub const PCI_ERR_ROOT_IRQ_MAX: u32 = 32;
pub const PCI_ERR_ROOT_IRQ: u32 = 4160749568;
pub const PCI_ERR_ROOT_STATUS_REPORT_MASK: u32 = 127;
pub const PCI_ERR_UNC_SUPPORTED: u32 = 67104816;
pub const PCI_ERR_UNC_MASK_DEFAULT: u32 = 37748736;
pub const PCI_ERR_UNC_SEVERITY_DEFAULT: u32 = 4595760;
pub const PCI_ERR_COR_SUPPORTED: u32 = 61889;
pub const PCI_ERR_COR_MASK_DEFAULT: u32 = 57344;
pub const PCI_ACS_VER: u32 = 1;
pub const PCI_ACS_SIZEOF: u32 = 8;
pub const PCI_DOE_VER: u32 = 1;
pub const PCI_DOE_SIZEOF: u32 = 24;
pub const PCIE_AER_ERR_IS_CORRECTABLE: u32 = 1;
pub const PCIE_AER_ERR_MAYBE_ADVISORY: u32 = 2;
pub const PCIE_AER_ERR_HEADER_VALID: u32 = 4;
pub const PCIE_AER_ERR_TLP_PREFIX_PRESENT: u32 = 8;
pub const PCIE_AER_LOG_MAX_DEFAULT: u32 = 8;
pub const PCIE_AER_LOG_MAX_LIMIT: u32 = 128;
pub const PCI_EXP_DOE_CAP: u32 = 4;
pub const PCI_EXP_DOE_CTRL: u32 = 8;
pub const PCI_EXP_DOE_STATUS: u32 = 12;
pub const PCI_EXP_DOE_WR_DATA_MBOX: u32 = 16;
pub const PCI_EXP_DOE_RD_DATA_MBOX: u32 = 20;
pub const PCI_SIG_DOE_DISCOVERY: u32 = 0;
pub const PCI_SIG_DOE_CMA: u32 = 1;
pub const PCI_SIG_DOE_SECURED_CMA: u32 = 2;
pub const PCI_DOE_DW_SIZE_MAX: u32 = 262144;
pub const PCI_DOE_PROTOCOL_NUM_MAX: u32 = 256;
pub const TYPE_PCI_DEVICE: &[u8; 11] = b"pci-device\0";
pub const INTERFACE_PCIE_DEVICE: &[u8; 19] = b"pci-express-device\0";
pub const INTERFACE_CONVENTIONAL_PCI_DEVICE: &[u8; 24] = b"conventional-pci-device\0";
pub const QEMU_DEVICE_PLUGIN_ABI: u32 = 2;
pub const TYPE_ARM_SMMUV3_INTERFACE: &[u8; 21] = b"arm-smmuv3-interface\0";
pub const Q35_HOST_BRIDGE_IOMMU_ADDR: u32 = 4275634176;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct __pthread_internal_list {
    pub __prev: *mut __pthread_internal_list,
    pub __next: *mut __pthread_internal_list,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of __pthread_internal_list",
    ][::core::mem::size_of::<__pthread_internal_list>() - 16usize];
    [
        "Alignment of __pthread_internal_list",
    ][::core::mem::align_of::<__pthread_internal_list>() - 8usize];
    [
        "Offset of field: __pthread_internal_list::__prev",
    ][::core::mem::offset_of!(__pthread_internal_list, __prev) - 0usize];
    [
        "Offset of field: __pthread_internal_list::__next",
    ][::core::mem::offset_of!(__pthread_internal_list, __next) - 8usize];
};
impl Default for __pthread_internal_list {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type __pthread_list_t = __pthread_internal_list;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct __pthread_mutex_s {
    pub __lock: ::core::ffi::c_int,
    pub __count: ::core::ffi::c_uint,
    pub __owner: ::core::ffi::c_int,
    pub __nusers: ::core::ffi::c_uint,
    pub __kind: ::core::ffi::c_int,
    pub __spins: ::core::ffi::c_short,
    pub __elision: ::core::ffi::c_short,
    pub __list: __pthread_list_t,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of __pthread_mutex_s"][::core::mem::size_of::<__pthread_mutex_s>() - 40usize];
    [
        "Alignment of __pthread_mutex_s",
    ][::core::mem::align_of::<__pthread_mutex_s>() - 8usize];
    [
        "Offset of field: __pthread_mutex_s::__lock",
    ][::core::mem::offset_of!(__pthread_mutex_s, __lock) - 0usize];
    [
        "Offset of field: __pthread_mutex_s::__count",
    ][::core::mem::offset_of!(__pthread_mutex_s, __count) - 4usize];
    [
        "Offset of field: __pthread_mutex_s::__owner",
    ][::core::mem::offset_of!(__pthread_mutex_s, __owner) - 8usize];
    [
        "Offset of field: __pthread_mutex_s::__nusers",
    ][::core::mem::offset_of!(__pthread_mutex_s, __nusers) - 12usize];
    [
        "Offset of field: __pthread_mutex_s::__kind",
    ][::core::mem::offset_of!(__pthread_mutex_s, __kind) - 16usize];
    [
        "Offset of field: __pthread_mutex_s::__spins",
    ][::core::mem::offset_of!(__pthread_mutex_s, __spins) - 20usize];
    [
        "Offset of field: __pthread_mutex_s::__elision",
    ][::core::mem::offset_of!(__pthread_mutex_s, __elision) - 22usize];
    [
        "Offset of field: __pthread_mutex_s::__list",
    ][::core::mem::offset_of!(__pthread_mutex_s, __list) - 24usize];
};
impl Default for __pthread_mutex_s {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union pthread_mutex_t {
    pub __data: __pthread_mutex_s,
    pub __size: [::core::ffi::c_char; 40usize],
    pub __align: ::core::ffi::c_long,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of pthread_mutex_t"][::core::mem::size_of::<pthread_mutex_t>() - 40usize];
    [
        "Alignment of pthread_mutex_t",
    ][::core::mem::align_of::<pthread_mutex_t>() - 8usize];
    [
        "Offset of field: pthread_mutex_t::__data",
    ][::core::mem::offset_of!(pthread_mutex_t, __data) - 0usize];
    [
        "Offset of field: pthread_mutex_t::__size",
    ][::core::mem::offset_of!(pthread_mutex_t, __size) - 0usize];
    [
        "Offset of field: pthread_mutex_t::__align",
    ][::core::mem::offset_of!(pthread_mutex_t, __align) - 0usize];
};
impl Default for pthread_mutex_t {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type __u32 = ::core::ffi::c_uint;
pub type __u64 = ::core::ffi::c_ulonglong;
pub type gsize = ::core::ffi::c_ulong;
pub type gchar = ::core::ffi::c_char;
pub type guint = ::core::ffi::c_uint;
pub type gpointer = *mut ::core::ffi::c_void;
unsafe extern "C" {
    pub fn g_free(mem: gpointer);
}
unsafe extern "C" {
    pub fn g_malloc0(n_bytes: gsize) -> gpointer;
}
pub type GList = _GList;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct _GList {
    pub data: gpointer,
    pub next: *mut GList,
    pub prev: *mut GList,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of _GList"][::core::mem::size_of::<_GList>() - 24usize];
    ["Alignment of _GList"][::core::mem::align_of::<_GList>() - 8usize];
    ["Offset of field: _GList::data"][::core::mem::offset_of!(_GList, data) - 0usize];
    ["Offset of field: _GList::next"][::core::mem::offset_of!(_GList, next) - 8usize];
    ["Offset of field: _GList::prev"][::core::mem::offset_of!(_GList, prev) - 16usize];
};
impl Default for _GList {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug)]
pub struct _GHashTable {
    _unused: [u8; 0],
}
pub type GHashTable = _GHashTable;
pub type GSList = _GSList;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct _GSList {
    pub data: gpointer,
    pub next: *mut GSList,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of _GSList"][::core::mem::size_of::<_GSList>() - 16usize];
    ["Alignment of _GSList"][::core::mem::align_of::<_GSList>() - 8usize];
    ["Offset of field: _GSList::data"][::core::mem::offset_of!(_GSList, data) - 0usize];
    ["Offset of field: _GSList::next"][::core::mem::offset_of!(_GSList, next) - 8usize];
};
impl Default for _GSList {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type GQueue = _GQueue;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct _GQueue {
    pub head: *mut GList,
    pub tail: *mut GList,
    pub length: guint,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of _GQueue"][::core::mem::size_of::<_GQueue>() - 24usize];
    ["Alignment of _GQueue"][::core::mem::align_of::<_GQueue>() - 8usize];
    ["Offset of field: _GQueue::head"][::core::mem::offset_of!(_GQueue, head) - 0usize];
    ["Offset of field: _GQueue::tail"][::core::mem::offset_of!(_GQueue, tail) - 8usize];
    [
        "Offset of field: _GQueue::length",
    ][::core::mem::offset_of!(_GQueue, length) - 16usize];
};
impl Default for _GQueue {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn g_strndup(str_: *const gchar, n: gsize) -> *mut gchar;
}
#[repr(C)]
#[derive(Debug)]
pub struct Clock {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct Error {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct JSONWriter {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct PCIESlot {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct QEMUBH {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct QEMUFile {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct QObject {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct RAMBlock {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct SHPCDevice {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct Visitor {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct VMChangeStateEntry {
    _unused: [u8; 0],
}
pub type qemu_irq = *mut IRQState;
pub type qemu_irq_handler = ::core::option::Option<
    unsafe extern "C" fn(
        opaque: *mut ::core::ffi::c_void,
        n: ::core::ffi::c_int,
        level: ::core::ffi::c_int,
    ),
>;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct QEnumLookup {
    pub array: *const *const ::core::ffi::c_char,
    pub features: *const u64,
    pub size: ::core::ffi::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of QEnumLookup"][::core::mem::size_of::<QEnumLookup>() - 24usize];
    ["Alignment of QEnumLookup"][::core::mem::align_of::<QEnumLookup>() - 8usize];
    [
        "Offset of field: QEnumLookup::array",
    ][::core::mem::offset_of!(QEnumLookup, array) - 0usize];
    [
        "Offset of field: QEnumLookup::features",
    ][::core::mem::offset_of!(QEnumLookup, features) - 8usize];
    [
        "Offset of field: QEnumLookup::size",
    ][::core::mem::offset_of!(QEnumLookup, size) - 16usize];
};
impl Default for QEnumLookup {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn error_get_pretty(err: *const Error) -> *const ::core::ffi::c_char;
}
unsafe extern "C" {
    pub fn error_setg_internal(
        errp: *mut *mut Error,
        src: *const ::core::ffi::c_char,
        line: ::core::ffi::c_int,
        func: *const ::core::ffi::c_char,
        fmt: *const ::core::ffi::c_char,
        ...
    );
}
unsafe extern "C" {
    pub fn error_propagate(dst_errp: *mut *mut Error, local_err: *mut Error);
}
unsafe extern "C" {
    pub fn error_append_hint(
        errp: *const *mut Error,
        fmt: *const ::core::ffi::c_char,
        ...
    );
}
unsafe extern "C" {
    pub fn error_free(err: *mut Error);
}
unsafe extern "C" {
    pub fn error_report_err(err: *mut Error);
}
unsafe extern "C" {
    pub static mut error_abort: *mut Error;
}
unsafe extern "C" {
    pub static mut error_fatal: *mut Error;
}
unsafe extern "C" {
    pub fn visit_type_uint64(
        v: *mut Visitor,
        name: *const ::core::ffi::c_char,
        obj: *mut u64,
        errp: *mut *mut Error,
    ) -> bool;
}
unsafe extern "C" {
    pub fn visit_type_int64(
        v: *mut Visitor,
        name: *const ::core::ffi::c_char,
        obj: *mut i64,
        errp: *mut *mut Error,
    ) -> bool;
}
unsafe extern "C" {
    pub fn visit_type_bool(
        v: *mut Visitor,
        name: *const ::core::ffi::c_char,
        obj: *mut bool,
        errp: *mut *mut Error,
    ) -> bool;
}
unsafe extern "C" {
    pub fn visit_type_str(
        v: *mut Visitor,
        name: *const ::core::ffi::c_char,
        obj: *mut *mut ::core::ffi::c_char,
        errp: *mut *mut Error,
    ) -> bool;
}
unsafe extern "C" {
    pub fn error_report(fmt: *const ::core::ffi::c_char, ...);
}
unsafe extern "C" {
    pub fn warn_report(fmt: *const ::core::ffi::c_char, ...);
}
unsafe extern "C" {
    pub fn info_report(fmt: *const ::core::ffi::c_char, ...);
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct QTailQLink {
    pub tql_next: *mut ::core::ffi::c_void,
    pub tql_prev: *mut QTailQLink,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of QTailQLink"][::core::mem::size_of::<QTailQLink>() - 16usize];
    ["Alignment of QTailQLink"][::core::mem::align_of::<QTailQLink>() - 8usize];
    [
        "Offset of field: QTailQLink::tql_next",
    ][::core::mem::offset_of!(QTailQLink, tql_next) - 0usize];
    [
        "Offset of field: QTailQLink::tql_prev",
    ][::core::mem::offset_of!(QTailQLink, tql_prev) - 8usize];
};
impl Default for QTailQLink {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct EventNotifier {
    pub rfd: ::core::ffi::c_int,
    pub wfd: ::core::ffi::c_int,
    pub initialized: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of EventNotifier"][::core::mem::size_of::<EventNotifier>() - 12usize];
    ["Alignment of EventNotifier"][::core::mem::align_of::<EventNotifier>() - 4usize];
    [
        "Offset of field: EventNotifier::rfd",
    ][::core::mem::offset_of!(EventNotifier, rfd) - 0usize];
    [
        "Offset of field: EventNotifier::wfd",
    ][::core::mem::offset_of!(EventNotifier, wfd) - 4usize];
    [
        "Offset of field: EventNotifier::initialized",
    ][::core::mem::offset_of!(EventNotifier, initialized) - 8usize];
};
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct QemuEvent {
    pub value: ::core::ffi::c_uint,
    pub initialized: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of QemuEvent"][::core::mem::size_of::<QemuEvent>() - 8usize];
    ["Alignment of QemuEvent"][::core::mem::align_of::<QemuEvent>() - 4usize];
    [
        "Offset of field: QemuEvent::value",
    ][::core::mem::offset_of!(QemuEvent, value) - 0usize];
    [
        "Offset of field: QemuEvent::initialized",
    ][::core::mem::offset_of!(QemuEvent, initialized) - 4usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct QemuMutex {
    pub lock: pthread_mutex_t,
    pub initialized: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of QemuMutex"][::core::mem::size_of::<QemuMutex>() - 48usize];
    ["Alignment of QemuMutex"][::core::mem::align_of::<QemuMutex>() - 8usize];
    [
        "Offset of field: QemuMutex::lock",
    ][::core::mem::offset_of!(QemuMutex, lock) - 0usize];
    [
        "Offset of field: QemuMutex::initialized",
    ][::core::mem::offset_of!(QemuMutex, initialized) - 40usize];
};
impl Default for QemuMutex {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn qemu_event_set(ev: *mut QemuEvent);
}
pub type Int128 = __int128_t;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct Notifier {
    pub notify: ::core::option::Option<
        unsafe extern "C" fn(notifier: *mut Notifier, data: *mut ::core::ffi::c_void),
    >,
    pub node: Notifier__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct Notifier__bindgen_ty_1 {
    pub le_next: *mut Notifier,
    pub le_prev: *mut *mut Notifier,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of Notifier__bindgen_ty_1",
    ][::core::mem::size_of::<Notifier__bindgen_ty_1>() - 16usize];
    [
        "Alignment of Notifier__bindgen_ty_1",
    ][::core::mem::align_of::<Notifier__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: Notifier__bindgen_ty_1::le_next",
    ][::core::mem::offset_of!(Notifier__bindgen_ty_1, le_next) - 0usize];
    [
        "Offset of field: Notifier__bindgen_ty_1::le_prev",
    ][::core::mem::offset_of!(Notifier__bindgen_ty_1, le_prev) - 8usize];
};
impl Default for Notifier__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of Notifier"][::core::mem::size_of::<Notifier>() - 24usize];
    ["Alignment of Notifier"][::core::mem::align_of::<Notifier>() - 8usize];
    [
        "Offset of field: Notifier::notify",
    ][::core::mem::offset_of!(Notifier, notify) - 0usize];
    [
        "Offset of field: Notifier::node",
    ][::core::mem::offset_of!(Notifier, node) - 8usize];
};
impl Default for Notifier {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct NotifierList {
    pub notifiers: NotifierList__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct NotifierList__bindgen_ty_1 {
    pub lh_first: *mut Notifier,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of NotifierList__bindgen_ty_1",
    ][::core::mem::size_of::<NotifierList__bindgen_ty_1>() - 8usize];
    [
        "Alignment of NotifierList__bindgen_ty_1",
    ][::core::mem::align_of::<NotifierList__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: NotifierList__bindgen_ty_1::lh_first",
    ][::core::mem::offset_of!(NotifierList__bindgen_ty_1, lh_first) - 0usize];
};
impl Default for NotifierList__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of NotifierList"][::core::mem::size_of::<NotifierList>() - 8usize];
    ["Alignment of NotifierList"][::core::mem::align_of::<NotifierList>() - 8usize];
    [
        "Offset of field: NotifierList::notifiers",
    ][::core::mem::offset_of!(NotifierList, notifiers) - 0usize];
};
impl Default for NotifierList {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const QEMUClockType_QEMU_CLOCK_REALTIME: QEMUClockType = QEMUClockType(0);
pub const QEMUClockType_QEMU_CLOCK_VIRTUAL: QEMUClockType = QEMUClockType(1);
pub const QEMUClockType_QEMU_CLOCK_HOST: QEMUClockType = QEMUClockType(2);
pub const QEMUClockType_QEMU_CLOCK_VIRTUAL_RT: QEMUClockType = QEMUClockType(3);
pub const QEMUClockType_QEMU_CLOCK_MAX: QEMUClockType = QEMUClockType(4);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct QEMUClockType(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Debug)]
pub struct QEMUTimerList {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct QEMUTimerListGroup {
    pub tl: [*mut QEMUTimerList; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of QEMUTimerListGroup",
    ][::core::mem::size_of::<QEMUTimerListGroup>() - 32usize];
    [
        "Alignment of QEMUTimerListGroup",
    ][::core::mem::align_of::<QEMUTimerListGroup>() - 8usize];
    [
        "Offset of field: QEMUTimerListGroup::tl",
    ][::core::mem::offset_of!(QEMUTimerListGroup, tl) - 0usize];
};
impl Default for QEMUTimerListGroup {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type QEMUTimerCB = ::core::option::Option<
    unsafe extern "C" fn(opaque: *mut ::core::ffi::c_void),
>;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct QEMUTimer {
    pub expire_time: i64,
    pub timer_list: *mut QEMUTimerList,
    pub cb: QEMUTimerCB,
    pub opaque: *mut ::core::ffi::c_void,
    pub next: *mut QEMUTimer,
    pub attributes: ::core::ffi::c_int,
    pub scale: ::core::ffi::c_int,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of QEMUTimer"][::core::mem::size_of::<QEMUTimer>() - 48usize];
    ["Alignment of QEMUTimer"][::core::mem::align_of::<QEMUTimer>() - 8usize];
    [
        "Offset of field: QEMUTimer::expire_time",
    ][::core::mem::offset_of!(QEMUTimer, expire_time) - 0usize];
    [
        "Offset of field: QEMUTimer::timer_list",
    ][::core::mem::offset_of!(QEMUTimer, timer_list) - 8usize];
    ["Offset of field: QEMUTimer::cb"][::core::mem::offset_of!(QEMUTimer, cb) - 16usize];
    [
        "Offset of field: QEMUTimer::opaque",
    ][::core::mem::offset_of!(QEMUTimer, opaque) - 24usize];
    [
        "Offset of field: QEMUTimer::next",
    ][::core::mem::offset_of!(QEMUTimer, next) - 32usize];
    [
        "Offset of field: QEMUTimer::attributes",
    ][::core::mem::offset_of!(QEMUTimer, attributes) - 40usize];
    [
        "Offset of field: QEMUTimer::scale",
    ][::core::mem::offset_of!(QEMUTimer, scale) - 44usize];
};
impl Default for QEMUTimer {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub static mut main_loop_tlg: QEMUTimerListGroup;
}
unsafe extern "C" {
    pub fn qemu_clock_get_ns(type_: QEMUClockType) -> i64;
}
unsafe extern "C" {
    pub fn timer_init_full(
        ts: *mut QEMUTimer,
        timer_list_group: *mut QEMUTimerListGroup,
        type_: QEMUClockType,
        scale: ::core::ffi::c_int,
        attributes: ::core::ffi::c_int,
        cb: QEMUTimerCB,
        opaque: *mut ::core::ffi::c_void,
    );
}
unsafe extern "C" {
    pub fn timer_deinit(ts: *mut QEMUTimer);
}
unsafe extern "C" {
    pub fn timer_del(ts: *mut QEMUTimer);
}
unsafe extern "C" {
    pub fn timer_mod_ns(ts: *mut QEMUTimer, expire_time: i64);
}
unsafe extern "C" {
    pub fn timer_mod(ts: *mut QEMUTimer, expire_timer: i64);
}
unsafe extern "C" {
    pub fn timer_pending(ts: *const QEMUTimer) -> bool;
}
pub type QEMUBHFunc = ::core::option::Option<
    unsafe extern "C" fn(opaque: *mut ::core::ffi::c_void),
>;
pub type IOHandler = ::core::option::Option<
    unsafe extern "C" fn(opaque: *mut ::core::ffi::c_void),
>;
unsafe extern "C" {
    pub fn qemu_bh_schedule(bh: *mut QEMUBH);
}
unsafe extern "C" {
    pub fn qemu_bh_cancel(bh: *mut QEMUBH);
}
unsafe extern "C" {
    pub fn qemu_bh_delete(bh: *mut QEMUBH);
}
#[repr(C)]
#[derive(Debug)]
pub struct TypeImpl {
    _unused: [u8; 0],
}
pub type Type = *mut TypeImpl;
pub type ObjectPropertyAccessor = ::core::option::Option<
    unsafe extern "C" fn(
        obj: *mut Object,
        v: *mut Visitor,
        name: *const ::core::ffi::c_char,
        opaque: *mut ::core::ffi::c_void,
        errp: *mut *mut Error,
    ),
>;
pub type ObjectPropertyResolve = ::core::option::Option<
    unsafe extern "C" fn(
        obj: *mut Object,
        opaque: *mut ::core::ffi::c_void,
        part: *const ::core::ffi::c_char,
    ) -> *mut Object,
>;
pub type ObjectPropertyRelease = ::core::option::Option<
    unsafe extern "C" fn(
        obj: *mut Object,
        name: *const ::core::ffi::c_char,
        opaque: *mut ::core::ffi::c_void,
    ),
>;
pub type ObjectPropertyInit = ::core::option::Option<
    unsafe extern "C" fn(obj: *mut Object, prop: *mut ObjectProperty),
>;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct ObjectProperty {
    pub name: *mut ::core::ffi::c_char,
    pub type_: *mut ::core::ffi::c_char,
    pub description: *mut ::core::ffi::c_char,
    pub get: ObjectPropertyAccessor,
    pub set: ObjectPropertyAccessor,
    pub resolve: ObjectPropertyResolve,
    pub release: ObjectPropertyRelease,
    pub init: ObjectPropertyInit,
    pub opaque: *mut ::core::ffi::c_void,
    pub defval: *mut QObject,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ObjectProperty"][::core::mem::size_of::<ObjectProperty>() - 80usize];
    ["Alignment of ObjectProperty"][::core::mem::align_of::<ObjectProperty>() - 8usize];
    [
        "Offset of field: ObjectProperty::name",
    ][::core::mem::offset_of!(ObjectProperty, name) - 0usize];
    [
        "Offset of field: ObjectProperty::type_",
    ][::core::mem::offset_of!(ObjectProperty, type_) - 8usize];
    [
        "Offset of field: ObjectProperty::description",
    ][::core::mem::offset_of!(ObjectProperty, description) - 16usize];
    [
        "Offset of field: ObjectProperty::get",
    ][::core::mem::offset_of!(ObjectProperty, get) - 24usize];
    [
        "Offset of field: ObjectProperty::set",
    ][::core::mem::offset_of!(ObjectProperty, set) - 32usize];
    [
        "Offset of field: ObjectProperty::resolve",
    ][::core::mem::offset_of!(ObjectProperty, resolve) - 40usize];
    [
        "Offset of field: ObjectProperty::release",
    ][::core::mem::offset_of!(ObjectProperty, release) - 48usize];
    [
        "Offset of field: ObjectProperty::init",
    ][::core::mem::offset_of!(ObjectProperty, init) - 56usize];
    [
        "Offset of field: ObjectProperty::opaque",
    ][::core::mem::offset_of!(ObjectProperty, opaque) - 64usize];
    [
        "Offset of field: ObjectProperty::defval",
    ][::core::mem::offset_of!(ObjectProperty, defval) - 72usize];
};
impl Default for ObjectProperty {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type ObjectUnparent = ::core::option::Option<unsafe extern "C" fn(obj: *mut Object)>;
pub type ObjectFree = ::core::option::Option<
    unsafe extern "C" fn(obj: *mut ::core::ffi::c_void),
>;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct ObjectClass {
    pub type_: Type,
    pub interfaces: *mut GSList,
    pub object_cast_cache: [*const ::core::ffi::c_char; 4usize],
    pub class_cast_cache: [*const ::core::ffi::c_char; 4usize],
    pub unparent: ObjectUnparent,
    pub properties: *mut GHashTable,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ObjectClass"][::core::mem::size_of::<ObjectClass>() - 96usize];
    ["Alignment of ObjectClass"][::core::mem::align_of::<ObjectClass>() - 8usize];
    [
        "Offset of field: ObjectClass::type_",
    ][::core::mem::offset_of!(ObjectClass, type_) - 0usize];
    [
        "Offset of field: ObjectClass::interfaces",
    ][::core::mem::offset_of!(ObjectClass, interfaces) - 8usize];
    [
        "Offset of field: ObjectClass::object_cast_cache",
    ][::core::mem::offset_of!(ObjectClass, object_cast_cache) - 16usize];
    [
        "Offset of field: ObjectClass::class_cast_cache",
    ][::core::mem::offset_of!(ObjectClass, class_cast_cache) - 48usize];
    [
        "Offset of field: ObjectClass::unparent",
    ][::core::mem::offset_of!(ObjectClass, unparent) - 80usize];
    [
        "Offset of field: ObjectClass::properties",
    ][::core::mem::offset_of!(ObjectClass, properties) - 88usize];
};
impl Default for ObjectClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct Object {
    pub class: *mut ObjectClass,
    pub free: ObjectFree,
    pub properties: *mut GHashTable,
    pub ref_: u32,
    pub parent: *mut Object,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of Object"][::core::mem::size_of::<Object>() - 40usize];
    ["Alignment of Object"][::core::mem::align_of::<Object>() - 8usize];
    ["Offset of field: Object::class"][::core::mem::offset_of!(Object, class) - 0usize];
    ["Offset of field: Object::free"][::core::mem::offset_of!(Object, free) - 8usize];
    [
        "Offset of field: Object::properties",
    ][::core::mem::offset_of!(Object, properties) - 16usize];
    ["Offset of field: Object::ref_"][::core::mem::offset_of!(Object, ref_) - 24usize];
    [
        "Offset of field: Object::parent",
    ][::core::mem::offset_of!(Object, parent) - 32usize];
};
impl Default for Object {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct TypeInfo {
    pub name: *const ::core::ffi::c_char,
    pub parent: *const ::core::ffi::c_char,
    pub instance_size: usize,
    pub instance_align: usize,
    pub instance_init: ::core::option::Option<unsafe extern "C" fn(obj: *mut Object)>,
    pub instance_post_init: ::core::option::Option<
        unsafe extern "C" fn(obj: *mut Object),
    >,
    pub instance_finalize: ::core::option::Option<
        unsafe extern "C" fn(obj: *mut Object),
    >,
    pub abstract_: bool,
    pub class_size: usize,
    pub class_init: ::core::option::Option<
        unsafe extern "C" fn(klass: *mut ObjectClass, data: *const ::core::ffi::c_void),
    >,
    pub class_base_init: ::core::option::Option<
        unsafe extern "C" fn(klass: *mut ObjectClass, data: *const ::core::ffi::c_void),
    >,
    pub class_data: *const ::core::ffi::c_void,
    pub interfaces: *const InterfaceInfo,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of TypeInfo"][::core::mem::size_of::<TypeInfo>() - 104usize];
    ["Alignment of TypeInfo"][::core::mem::align_of::<TypeInfo>() - 8usize];
    [
        "Offset of field: TypeInfo::name",
    ][::core::mem::offset_of!(TypeInfo, name) - 0usize];
    [
        "Offset of field: TypeInfo::parent",
    ][::core::mem::offset_of!(TypeInfo, parent) - 8usize];
    [
        "Offset of field: TypeInfo::instance_size",
    ][::core::mem::offset_of!(TypeInfo, instance_size) - 16usize];
    [
        "Offset of field: TypeInfo::instance_align",
    ][::core::mem::offset_of!(TypeInfo, instance_align) - 24usize];
    [
        "Offset of field: TypeInfo::instance_init",
    ][::core::mem::offset_of!(TypeInfo, instance_init) - 32usize];
    [
        "Offset of field: TypeInfo::instance_post_init",
    ][::core::mem::offset_of!(TypeInfo, instance_post_init) - 40usize];
    [
        "Offset of field: TypeInfo::instance_finalize",
    ][::core::mem::offset_of!(TypeInfo, instance_finalize) - 48usize];
    [
        "Offset of field: TypeInfo::abstract_",
    ][::core::mem::offset_of!(TypeInfo, abstract_) - 56usize];
    [
        "Offset of field: TypeInfo::class_size",
    ][::core::mem::offset_of!(TypeInfo, class_size) - 64usize];
    [
        "Offset of field: TypeInfo::class_init",
    ][::core::mem::offset_of!(TypeInfo, class_init) - 72usize];
    [
        "Offset of field: TypeInfo::class_base_init",
    ][::core::mem::offset_of!(TypeInfo, class_base_init) - 80usize];
    [
        "Offset of field: TypeInfo::class_data",
    ][::core::mem::offset_of!(TypeInfo, class_data) - 88usize];
    [
        "Offset of field: TypeInfo::interfaces",
    ][::core::mem::offset_of!(TypeInfo, interfaces) - 96usize];
};
impl Default for TypeInfo {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct InterfaceInfo {
    pub type_: *const ::core::ffi::c_char,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of InterfaceInfo"][::core::mem::size_of::<InterfaceInfo>() - 8usize];
    ["Alignment of InterfaceInfo"][::core::mem::align_of::<InterfaceInfo>() - 8usize];
    [
        "Offset of field: InterfaceInfo::type_",
    ][::core::mem::offset_of!(InterfaceInfo, type_) - 0usize];
};
impl Default for InterfaceInfo {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct InterfaceClass {
    pub parent_class: ObjectClass,
    pub interface_type: Type,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of InterfaceClass"][::core::mem::size_of::<InterfaceClass>() - 104usize];
    ["Alignment of InterfaceClass"][::core::mem::align_of::<InterfaceClass>() - 8usize];
    [
        "Offset of field: InterfaceClass::parent_class",
    ][::core::mem::offset_of!(InterfaceClass, parent_class) - 0usize];
    [
        "Offset of field: InterfaceClass::interface_type",
    ][::core::mem::offset_of!(InterfaceClass, interface_type) - 96usize];
};
impl Default for InterfaceClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn object_dynamic_cast(
        obj: *mut Object,
        typename: *const ::core::ffi::c_char,
    ) -> *mut Object;
}
unsafe extern "C" {
    pub fn object_get_class(obj: *mut Object) -> *mut ObjectClass;
}
unsafe extern "C" {
    pub fn object_get_typename(obj: *const Object) -> *const ::core::ffi::c_char;
}
unsafe extern "C" {
    pub fn type_register_static(info: *const TypeInfo) -> Type;
}
unsafe extern "C" {
    pub fn object_class_dynamic_cast(
        klass: *mut ObjectClass,
        typename: *const ::core::ffi::c_char,
    ) -> *mut ObjectClass;
}
unsafe extern "C" {
    pub fn object_class_get_parent(klass: *mut ObjectClass) -> *mut ObjectClass;
}
unsafe extern "C" {
    pub fn object_class_get_name(klass: *mut ObjectClass) -> *const ::core::ffi::c_char;
}
unsafe extern "C" {
    pub fn object_class_by_name(
        typename: *const ::core::ffi::c_char,
    ) -> *mut ObjectClass;
}
unsafe extern "C" {
    pub fn object_ref(obj: *mut ::core::ffi::c_void) -> *mut Object;
}
unsafe extern "C" {
    pub fn object_unref(obj: *mut ::core::ffi::c_void);
}
unsafe extern "C" {
    pub fn object_class_property_add(
        klass: *mut ObjectClass,
        name: *const ::core::ffi::c_char,
        type_: *const ::core::ffi::c_char,
        get: ObjectPropertyAccessor,
        set: ObjectPropertyAccessor,
        release: ObjectPropertyRelease,
        opaque: *mut ::core::ffi::c_void,
    ) -> *mut ObjectProperty;
}
unsafe extern "C" {
    pub fn object_property_find(
        obj: *mut Object,
        name: *const ::core::ffi::c_char,
    ) -> *mut ObjectProperty;
}
unsafe extern "C" {
    pub fn object_unparent(obj: *mut Object);
}
unsafe extern "C" {
    pub fn object_property_get_link(
        obj: *mut Object,
        name: *const ::core::ffi::c_char,
        errp: *mut *mut Error,
    ) -> *mut Object;
}
unsafe extern "C" {
    pub fn object_property_get_bool(
        obj: *mut Object,
        name: *const ::core::ffi::c_char,
        errp: *mut *mut Error,
    ) -> bool;
}
unsafe extern "C" {
    pub fn object_get_canonical_path(obj: *const Object) -> *mut ::core::ffi::c_char;
}
unsafe extern "C" {
    pub fn object_resolve_path(
        path: *const ::core::ffi::c_char,
        ambiguous: *mut bool,
    ) -> *mut Object;
}
unsafe extern "C" {
    pub fn object_resolve_path_type(
        path: *const ::core::ffi::c_char,
        typename: *const ::core::ffi::c_char,
        ambiguous: *mut bool,
    ) -> *mut Object;
}
unsafe extern "C" {
    pub fn object_class_property_add_str(
        klass: *mut ObjectClass,
        name: *const ::core::ffi::c_char,
        get: ::core::option::Option<
            unsafe extern "C" fn(
                arg1: *mut Object,
                arg2: *mut *mut Error,
            ) -> *mut ::core::ffi::c_char,
        >,
        set: ::core::option::Option<
            unsafe extern "C" fn(
                arg1: *mut Object,
                arg2: *const ::core::ffi::c_char,
                arg3: *mut *mut Error,
            ),
        >,
    ) -> *mut ObjectProperty;
}
unsafe extern "C" {
    pub fn object_class_property_add_bool(
        klass: *mut ObjectClass,
        name: *const ::core::ffi::c_char,
        get: ::core::option::Option<
            unsafe extern "C" fn(arg1: *mut Object, arg2: *mut *mut Error) -> bool,
        >,
        set: ::core::option::Option<
            unsafe extern "C" fn(arg1: *mut Object, arg2: bool, arg3: *mut *mut Error),
        >,
    ) -> *mut ObjectProperty;
}
unsafe extern "C" {
    pub fn object_class_property_set_description(
        klass: *mut ObjectClass,
        name: *const ::core::ffi::c_char,
        description: *const ::core::ffi::c_char,
    );
}
unsafe extern "C" {
    pub fn qemu_set_fd_handler(
        fd: ::core::ffi::c_int,
        fd_read: IOHandler,
        fd_write: IOHandler,
        opaque: *mut ::core::ffi::c_void,
    );
}
unsafe extern "C" {
    pub fn bql_locked() -> bool;
}
unsafe extern "C" {
    pub fn bql_lock_impl(file: *const ::core::ffi::c_char, line: ::core::ffi::c_int);
}
unsafe extern "C" {
    pub fn bql_unlock();
}
unsafe extern "C" {
    pub fn qemu_bh_new_full(
        cb: QEMUBHFunc,
        opaque: *mut ::core::ffi::c_void,
        name: *const ::core::ffi::c_char,
        reentrancy_guard: *mut MemReentrancyGuard,
    ) -> *mut QEMUBH;
}
unsafe extern "C" {
    pub static mut qemu_loglevel: ::core::ffi::c_uint;
}
unsafe extern "C" {
    pub fn qemu_log(fmt: *const ::core::ffi::c_char, ...);
}
unsafe extern "C" {
    pub static mut rcu_gp_ctr: ::core::ffi::c_ulong;
}
unsafe extern "C" {
    pub static mut rcu_gp_event: QemuEvent;
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct rcu_reader_data {
    pub ctr: ::core::ffi::c_ulong,
    pub waiting: bool,
    pub depth: ::core::ffi::c_uint,
    pub node: rcu_reader_data__bindgen_ty_1,
    pub force_rcu: NotifierList,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct rcu_reader_data__bindgen_ty_1 {
    pub le_next: *mut rcu_reader_data,
    pub le_prev: *mut *mut rcu_reader_data,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of rcu_reader_data__bindgen_ty_1",
    ][::core::mem::size_of::<rcu_reader_data__bindgen_ty_1>() - 16usize];
    [
        "Alignment of rcu_reader_data__bindgen_ty_1",
    ][::core::mem::align_of::<rcu_reader_data__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: rcu_reader_data__bindgen_ty_1::le_next",
    ][::core::mem::offset_of!(rcu_reader_data__bindgen_ty_1, le_next) - 0usize];
    [
        "Offset of field: rcu_reader_data__bindgen_ty_1::le_prev",
    ][::core::mem::offset_of!(rcu_reader_data__bindgen_ty_1, le_prev) - 8usize];
};
impl Default for rcu_reader_data__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of rcu_reader_data"][::core::mem::size_of::<rcu_reader_data>() - 40usize];
    [
        "Alignment of rcu_reader_data",
    ][::core::mem::align_of::<rcu_reader_data>() - 8usize];
    [
        "Offset of field: rcu_reader_data::ctr",
    ][::core::mem::offset_of!(rcu_reader_data, ctr) - 0usize];
    [
        "Offset of field: rcu_reader_data::waiting",
    ][::core::mem::offset_of!(rcu_reader_data, waiting) - 8usize];
    [
        "Offset of field: rcu_reader_data::depth",
    ][::core::mem::offset_of!(rcu_reader_data, depth) - 12usize];
    [
        "Offset of field: rcu_reader_data::node",
    ][::core::mem::offset_of!(rcu_reader_data, node) - 16usize];
    [
        "Offset of field: rcu_reader_data::force_rcu",
    ][::core::mem::offset_of!(rcu_reader_data, force_rcu) - 32usize];
};
impl Default for rcu_reader_data {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn get_ptr_rcu_reader() -> *mut rcu_reader_data;
}
unsafe extern "C" {
    pub fn rcu_register_thread();
}
unsafe extern "C" {
    pub fn rcu_unregister_thread();
}
pub type RCUCBFunc = ::core::option::Option<unsafe extern "C" fn(head: *mut rcu_head)>;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct rcu_head {
    pub next: *mut rcu_head,
    pub func: RCUCBFunc,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of rcu_head"][::core::mem::size_of::<rcu_head>() - 16usize];
    ["Alignment of rcu_head"][::core::mem::align_of::<rcu_head>() - 8usize];
    [
        "Offset of field: rcu_head::next",
    ][::core::mem::offset_of!(rcu_head, next) - 0usize];
    [
        "Offset of field: rcu_head::func",
    ][::core::mem::offset_of!(rcu_head, func) - 8usize];
};
impl Default for rcu_head {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct TraceEvent {
    pub id: u32,
    pub name: *const ::core::ffi::c_char,
    pub sstate: bool,
    pub dstate: *mut u16,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of TraceEvent"][::core::mem::size_of::<TraceEvent>() - 32usize];
    ["Alignment of TraceEvent"][::core::mem::align_of::<TraceEvent>() - 8usize];
    [
        "Offset of field: TraceEvent::id",
    ][::core::mem::offset_of!(TraceEvent, id) - 0usize];
    [
        "Offset of field: TraceEvent::name",
    ][::core::mem::offset_of!(TraceEvent, name) - 8usize];
    [
        "Offset of field: TraceEvent::sstate",
    ][::core::mem::offset_of!(TraceEvent, sstate) - 16usize];
    [
        "Offset of field: TraceEvent::dstate",
    ][::core::mem::offset_of!(TraceEvent, dstate) - 24usize];
};
impl Default for TraceEvent {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn trace_event_register_group(events: *mut *mut TraceEvent);
}
pub type hwaddr = u64;
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct MemTxAttrs {
    pub _bindgen_align: [u32; 0],
    pub _bitfield_1: __BindgenBitfieldUnit<[u8; 4usize]>,
    pub unspecified: bool,
    pub _reserved1: u8,
    pub _reserved2: u16,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of MemTxAttrs"][::core::mem::size_of::<MemTxAttrs>() - 8usize];
    ["Alignment of MemTxAttrs"][::core::mem::align_of::<MemTxAttrs>() - 4usize];
    [
        "Offset of field: MemTxAttrs::unspecified",
    ][::core::mem::offset_of!(MemTxAttrs, unspecified) - 4usize];
    [
        "Offset of field: MemTxAttrs::_reserved1",
    ][::core::mem::offset_of!(MemTxAttrs, _reserved1) - 5usize];
    [
        "Offset of field: MemTxAttrs::_reserved2",
    ][::core::mem::offset_of!(MemTxAttrs, _reserved2) - 6usize];
};
impl MemTxAttrs {
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn secure(&self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(self._bitfield_1.get_const::<0usize, 1u8>() as u32)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_secure(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<0usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn secure_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<
                    [u8; 4usize],
                >>::raw_get_const::<
                    0usize,
                    1u8,
                >(::core::ptr::addr_of!((*this)._bitfield_1)) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_secure_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<
                [u8; 4usize],
            >>::raw_set_const::<
                0usize,
                1u8,
            >(::core::ptr::addr_of_mut!((*this)._bitfield_1), val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn space(&self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(self._bitfield_1.get_const::<1usize, 2u8>() as u32)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_space(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<1usize, 2u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn space_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<
                    [u8; 4usize],
                >>::raw_get_const::<
                    1usize,
                    2u8,
                >(::core::ptr::addr_of!((*this)._bitfield_1)) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_space_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<
                [u8; 4usize],
            >>::raw_set_const::<
                1usize,
                2u8,
            >(::core::ptr::addr_of_mut!((*this)._bitfield_1), val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn user(&self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(self._bitfield_1.get_const::<3usize, 1u8>() as u32)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_user(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<3usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn user_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<
                    [u8; 4usize],
                >>::raw_get_const::<
                    3usize,
                    1u8,
                >(::core::ptr::addr_of!((*this)._bitfield_1)) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_user_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<
                [u8; 4usize],
            >>::raw_set_const::<
                3usize,
                1u8,
            >(::core::ptr::addr_of_mut!((*this)._bitfield_1), val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn memory(&self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(self._bitfield_1.get_const::<4usize, 1u8>() as u32)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_memory(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<4usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn memory_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<
                    [u8; 4usize],
                >>::raw_get_const::<
                    4usize,
                    1u8,
                >(::core::ptr::addr_of!((*this)._bitfield_1)) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_memory_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<
                [u8; 4usize],
            >>::raw_set_const::<
                4usize,
                1u8,
            >(::core::ptr::addr_of_mut!((*this)._bitfield_1), val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn debug(&self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(self._bitfield_1.get_const::<5usize, 1u8>() as u32)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_debug(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<5usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn debug_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<
                    [u8; 4usize],
                >>::raw_get_const::<
                    5usize,
                    1u8,
                >(::core::ptr::addr_of!((*this)._bitfield_1)) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_debug_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<
                [u8; 4usize],
            >>::raw_set_const::<
                5usize,
                1u8,
            >(::core::ptr::addr_of_mut!((*this)._bitfield_1), val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn requester_id(&self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(self._bitfield_1.get_const::<6usize, 16u8>() as u32)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_requester_id(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<6usize, 16u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn requester_id_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<
                    [u8; 4usize],
                >>::raw_get_const::<
                    6usize,
                    16u8,
                >(::core::ptr::addr_of!((*this)._bitfield_1)) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_requester_id_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<
                [u8; 4usize],
            >>::raw_set_const::<
                6usize,
                16u8,
            >(::core::ptr::addr_of_mut!((*this)._bitfield_1), val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn pid(&self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(self._bitfield_1.get_const::<22usize, 8u8>() as u32)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_pid(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<22usize, 8u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn pid_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<
                    [u8; 4usize],
                >>::raw_get_const::<
                    22usize,
                    8u8,
                >(::core::ptr::addr_of!((*this)._bitfield_1)) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_pid_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<
                [u8; 4usize],
            >>::raw_set_const::<
                22usize,
                8u8,
            >(::core::ptr::addr_of_mut!((*this)._bitfield_1), val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn address_type(&self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(self._bitfield_1.get_const::<30usize, 1u8>() as u32)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_address_type(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<30usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn address_type_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<
                    [u8; 4usize],
                >>::raw_get_const::<
                    30usize,
                    1u8,
                >(::core::ptr::addr_of!((*this)._bitfield_1)) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_address_type_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<
                [u8; 4usize],
            >>::raw_set_const::<
                30usize,
                1u8,
            >(::core::ptr::addr_of_mut!((*this)._bitfield_1), val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn new_bitfield_1(
        secure: ::core::ffi::c_uint,
        space: ::core::ffi::c_uint,
        user: ::core::ffi::c_uint,
        memory: ::core::ffi::c_uint,
        debug: ::core::ffi::c_uint,
        requester_id: ::core::ffi::c_uint,
        pid: ::core::ffi::c_uint,
        address_type: ::core::ffi::c_uint,
    ) -> __BindgenBitfieldUnit<[u8; 4usize]> {
        let mut __bindgen_bitfield_unit: __BindgenBitfieldUnit<[u8; 4usize]> = Default::default();
        __bindgen_bitfield_unit
            .set_const::<
                0usize,
                1u8,
            >({
                let secure: u32 = unsafe { ::core::mem::transmute(secure) };
                secure as u64
            });
        __bindgen_bitfield_unit
            .set_const::<
                1usize,
                2u8,
            >({
                let space: u32 = unsafe { ::core::mem::transmute(space) };
                space as u64
            });
        __bindgen_bitfield_unit
            .set_const::<
                3usize,
                1u8,
            >({
                let user: u32 = unsafe { ::core::mem::transmute(user) };
                user as u64
            });
        __bindgen_bitfield_unit
            .set_const::<
                4usize,
                1u8,
            >({
                let memory: u32 = unsafe { ::core::mem::transmute(memory) };
                memory as u64
            });
        __bindgen_bitfield_unit
            .set_const::<
                5usize,
                1u8,
            >({
                let debug: u32 = unsafe { ::core::mem::transmute(debug) };
                debug as u64
            });
        __bindgen_bitfield_unit
            .set_const::<
                6usize,
                16u8,
            >({
                let requester_id: u32 = unsafe { ::core::mem::transmute(requester_id) };
                requester_id as u64
            });
        __bindgen_bitfield_unit
            .set_const::<
                22usize,
                8u8,
            >({
                let pid: u32 = unsafe { ::core::mem::transmute(pid) };
                pid as u64
            });
        __bindgen_bitfield_unit
            .set_const::<
                30usize,
                1u8,
            >({
                let address_type: u32 = unsafe { ::core::mem::transmute(address_type) };
                address_type as u64
            });
        __bindgen_bitfield_unit
    }
}
pub type MemTxResult = u32;
unsafe extern "C" {
    pub fn get_system_memory() -> *mut MemoryRegion;
}
unsafe extern "C" {
    pub static mut address_space_memory: AddressSpace;
}
unsafe extern "C" {
    pub static mut address_space_io: AddressSpace;
}
pub type ram_addr_t = usize;
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct iommu_hw_info_vtd {
    pub flags: __u32,
    pub __reserved: __u32,
    pub cap_reg: __u64,
    pub ecap_reg: __u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of iommu_hw_info_vtd"][::core::mem::size_of::<iommu_hw_info_vtd>() - 24usize];
    [
        "Alignment of iommu_hw_info_vtd",
    ][::core::mem::align_of::<iommu_hw_info_vtd>() - 8usize];
    [
        "Offset of field: iommu_hw_info_vtd::flags",
    ][::core::mem::offset_of!(iommu_hw_info_vtd, flags) - 0usize];
    [
        "Offset of field: iommu_hw_info_vtd::__reserved",
    ][::core::mem::offset_of!(iommu_hw_info_vtd, __reserved) - 4usize];
    [
        "Offset of field: iommu_hw_info_vtd::cap_reg",
    ][::core::mem::offset_of!(iommu_hw_info_vtd, cap_reg) - 8usize];
    [
        "Offset of field: iommu_hw_info_vtd::ecap_reg",
    ][::core::mem::offset_of!(iommu_hw_info_vtd, ecap_reg) - 16usize];
};
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct iommu_hw_info_arm_smmuv3 {
    pub flags: __u32,
    pub __reserved: __u32,
    pub idr: [__u32; 6usize],
    pub iidr: __u32,
    pub aidr: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of iommu_hw_info_arm_smmuv3",
    ][::core::mem::size_of::<iommu_hw_info_arm_smmuv3>() - 40usize];
    [
        "Alignment of iommu_hw_info_arm_smmuv3",
    ][::core::mem::align_of::<iommu_hw_info_arm_smmuv3>() - 4usize];
    [
        "Offset of field: iommu_hw_info_arm_smmuv3::flags",
    ][::core::mem::offset_of!(iommu_hw_info_arm_smmuv3, flags) - 0usize];
    [
        "Offset of field: iommu_hw_info_arm_smmuv3::__reserved",
    ][::core::mem::offset_of!(iommu_hw_info_arm_smmuv3, __reserved) - 4usize];
    [
        "Offset of field: iommu_hw_info_arm_smmuv3::idr",
    ][::core::mem::offset_of!(iommu_hw_info_arm_smmuv3, idr) - 8usize];
    [
        "Offset of field: iommu_hw_info_arm_smmuv3::iidr",
    ][::core::mem::offset_of!(iommu_hw_info_arm_smmuv3, iidr) - 32usize];
    [
        "Offset of field: iommu_hw_info_arm_smmuv3::aidr",
    ][::core::mem::offset_of!(iommu_hw_info_arm_smmuv3, aidr) - 36usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub union VendorCaps {
    pub vtd: iommu_hw_info_vtd,
    pub smmuv3: iommu_hw_info_arm_smmuv3,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of VendorCaps"][::core::mem::size_of::<VendorCaps>() - 40usize];
    ["Alignment of VendorCaps"][::core::mem::align_of::<VendorCaps>() - 8usize];
    [
        "Offset of field: VendorCaps::vtd",
    ][::core::mem::offset_of!(VendorCaps, vtd) - 0usize];
    [
        "Offset of field: VendorCaps::smmuv3",
    ][::core::mem::offset_of!(VendorCaps, smmuv3) - 0usize];
};
impl Default for VendorCaps {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct HostIOMMUDeviceCaps {
    pub type_: u32,
    pub hw_caps: u64,
    pub max_pasid_log2: u8,
    pub vendor_caps: VendorCaps,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of HostIOMMUDeviceCaps",
    ][::core::mem::size_of::<HostIOMMUDeviceCaps>() - 64usize];
    [
        "Alignment of HostIOMMUDeviceCaps",
    ][::core::mem::align_of::<HostIOMMUDeviceCaps>() - 8usize];
    [
        "Offset of field: HostIOMMUDeviceCaps::type_",
    ][::core::mem::offset_of!(HostIOMMUDeviceCaps, type_) - 0usize];
    [
        "Offset of field: HostIOMMUDeviceCaps::hw_caps",
    ][::core::mem::offset_of!(HostIOMMUDeviceCaps, hw_caps) - 8usize];
    [
        "Offset of field: HostIOMMUDeviceCaps::max_pasid_log2",
    ][::core::mem::offset_of!(HostIOMMUDeviceCaps, max_pasid_log2) - 16usize];
    [
        "Offset of field: HostIOMMUDeviceCaps::vendor_caps",
    ][::core::mem::offset_of!(HostIOMMUDeviceCaps, vendor_caps) - 24usize];
};
impl Default for HostIOMMUDeviceCaps {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct HostIOMMUDevice {
    pub parent_obj: Object,
    pub name: *mut ::core::ffi::c_char,
    pub agent: *mut ::core::ffi::c_void,
    pub aliased_bus: *mut PCIBus,
    pub aliased_devfn: ::core::ffi::c_int,
    pub caps: HostIOMMUDeviceCaps,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of HostIOMMUDevice"][::core::mem::size_of::<HostIOMMUDevice>() - 136usize];
    [
        "Alignment of HostIOMMUDevice",
    ][::core::mem::align_of::<HostIOMMUDevice>() - 8usize];
    [
        "Offset of field: HostIOMMUDevice::parent_obj",
    ][::core::mem::offset_of!(HostIOMMUDevice, parent_obj) - 0usize];
    [
        "Offset of field: HostIOMMUDevice::name",
    ][::core::mem::offset_of!(HostIOMMUDevice, name) - 40usize];
    [
        "Offset of field: HostIOMMUDevice::agent",
    ][::core::mem::offset_of!(HostIOMMUDevice, agent) - 48usize];
    [
        "Offset of field: HostIOMMUDevice::aliased_bus",
    ][::core::mem::offset_of!(HostIOMMUDevice, aliased_bus) - 56usize];
    [
        "Offset of field: HostIOMMUDevice::aliased_devfn",
    ][::core::mem::offset_of!(HostIOMMUDevice, aliased_devfn) - 64usize];
    [
        "Offset of field: HostIOMMUDevice::caps",
    ][::core::mem::offset_of!(HostIOMMUDevice, caps) - 72usize];
};
impl Default for HostIOMMUDevice {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IOMMUFDBackendClass {
    pub parent_class: ObjectClass,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of IOMMUFDBackendClass",
    ][::core::mem::size_of::<IOMMUFDBackendClass>() - 96usize];
    [
        "Alignment of IOMMUFDBackendClass",
    ][::core::mem::align_of::<IOMMUFDBackendClass>() - 8usize];
    [
        "Offset of field: IOMMUFDBackendClass::parent_class",
    ][::core::mem::offset_of!(IOMMUFDBackendClass, parent_class) - 0usize];
};
impl Default for IOMMUFDBackendClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IOMMUFDBackend {
    pub parent: Object,
    pub fd: ::core::ffi::c_int,
    pub owned: bool,
    pub cpr_blocker: *mut Error,
    pub users: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IOMMUFDBackend"][::core::mem::size_of::<IOMMUFDBackend>() - 64usize];
    ["Alignment of IOMMUFDBackend"][::core::mem::align_of::<IOMMUFDBackend>() - 8usize];
    [
        "Offset of field: IOMMUFDBackend::parent",
    ][::core::mem::offset_of!(IOMMUFDBackend, parent) - 0usize];
    [
        "Offset of field: IOMMUFDBackend::fd",
    ][::core::mem::offset_of!(IOMMUFDBackend, fd) - 40usize];
    [
        "Offset of field: IOMMUFDBackend::owned",
    ][::core::mem::offset_of!(IOMMUFDBackend, owned) - 44usize];
    [
        "Offset of field: IOMMUFDBackend::cpr_blocker",
    ][::core::mem::offset_of!(IOMMUFDBackend, cpr_blocker) - 48usize];
    [
        "Offset of field: IOMMUFDBackend::users",
    ][::core::mem::offset_of!(IOMMUFDBackend, users) - 56usize];
};
impl Default for IOMMUFDBackend {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IOMMUFDViommu {
    pub iommufd: *mut IOMMUFDBackend,
    pub s2_hwpt_id: u32,
    pub viommu_id: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IOMMUFDViommu"][::core::mem::size_of::<IOMMUFDViommu>() - 16usize];
    ["Alignment of IOMMUFDViommu"][::core::mem::align_of::<IOMMUFDViommu>() - 8usize];
    [
        "Offset of field: IOMMUFDViommu::iommufd",
    ][::core::mem::offset_of!(IOMMUFDViommu, iommufd) - 0usize];
    [
        "Offset of field: IOMMUFDViommu::s2_hwpt_id",
    ][::core::mem::offset_of!(IOMMUFDViommu, s2_hwpt_id) - 8usize];
    [
        "Offset of field: IOMMUFDViommu::viommu_id",
    ][::core::mem::offset_of!(IOMMUFDViommu, viommu_id) - 12usize];
};
impl Default for IOMMUFDViommu {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct IOMMUFDVdev {
    pub vdevice_id: u32,
    pub virt_id: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IOMMUFDVdev"][::core::mem::size_of::<IOMMUFDVdev>() - 8usize];
    ["Alignment of IOMMUFDVdev"][::core::mem::align_of::<IOMMUFDVdev>() - 4usize];
    [
        "Offset of field: IOMMUFDVdev::vdevice_id",
    ][::core::mem::offset_of!(IOMMUFDVdev, vdevice_id) - 0usize];
    [
        "Offset of field: IOMMUFDVdev::virt_id",
    ][::core::mem::offset_of!(IOMMUFDVdev, virt_id) - 4usize];
};
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct IOMMUFDVeventq {
    pub veventq_id: u32,
    pub veventq_fd: u32,
    pub last_event_seq: u32,
    pub event_start: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IOMMUFDVeventq"][::core::mem::size_of::<IOMMUFDVeventq>() - 16usize];
    ["Alignment of IOMMUFDVeventq"][::core::mem::align_of::<IOMMUFDVeventq>() - 4usize];
    [
        "Offset of field: IOMMUFDVeventq::veventq_id",
    ][::core::mem::offset_of!(IOMMUFDVeventq, veventq_id) - 0usize];
    [
        "Offset of field: IOMMUFDVeventq::veventq_fd",
    ][::core::mem::offset_of!(IOMMUFDVeventq, veventq_fd) - 4usize];
    [
        "Offset of field: IOMMUFDVeventq::last_event_seq",
    ][::core::mem::offset_of!(IOMMUFDVeventq, last_event_seq) - 8usize];
    [
        "Offset of field: IOMMUFDVeventq::event_start",
    ][::core::mem::offset_of!(IOMMUFDVeventq, event_start) - 12usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IOMMUFDHWqueue {
    pub viommu: *mut IOMMUFDViommu,
    pub hw_queue_id: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IOMMUFDHWqueue"][::core::mem::size_of::<IOMMUFDHWqueue>() - 16usize];
    ["Alignment of IOMMUFDHWqueue"][::core::mem::align_of::<IOMMUFDHWqueue>() - 8usize];
    [
        "Offset of field: IOMMUFDHWqueue::viommu",
    ][::core::mem::offset_of!(IOMMUFDHWqueue, viommu) - 0usize];
    [
        "Offset of field: IOMMUFDHWqueue::hw_queue_id",
    ][::core::mem::offset_of!(IOMMUFDHWqueue, hw_queue_id) - 8usize];
};
impl Default for IOMMUFDHWqueue {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct HostIOMMUDeviceIOMMUFD {
    pub parent_obj: HostIOMMUDevice,
    pub iommufd: *mut IOMMUFDBackend,
    pub devid: u32,
    pub hwpt_id: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of HostIOMMUDeviceIOMMUFD",
    ][::core::mem::size_of::<HostIOMMUDeviceIOMMUFD>() - 152usize];
    [
        "Alignment of HostIOMMUDeviceIOMMUFD",
    ][::core::mem::align_of::<HostIOMMUDeviceIOMMUFD>() - 8usize];
    [
        "Offset of field: HostIOMMUDeviceIOMMUFD::parent_obj",
    ][::core::mem::offset_of!(HostIOMMUDeviceIOMMUFD, parent_obj) - 0usize];
    [
        "Offset of field: HostIOMMUDeviceIOMMUFD::iommufd",
    ][::core::mem::offset_of!(HostIOMMUDeviceIOMMUFD, iommufd) - 136usize];
    [
        "Offset of field: HostIOMMUDeviceIOMMUFD::devid",
    ][::core::mem::offset_of!(HostIOMMUDeviceIOMMUFD, devid) - 144usize];
    [
        "Offset of field: HostIOMMUDeviceIOMMUFD::hwpt_id",
    ][::core::mem::offset_of!(HostIOMMUDeviceIOMMUFD, hwpt_id) - 148usize];
};
impl Default for HostIOMMUDeviceIOMMUFD {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug)]
pub struct RamDiscardSource {
    _unused: [u8; 0],
}
pub type NotifyRamPopulate = ::core::option::Option<
    unsafe extern "C" fn(
        rdl: *mut RamDiscardListener,
        section: *const MemoryRegionSection,
    ) -> ::core::ffi::c_int,
>;
pub type NotifyRamDiscard = ::core::option::Option<
    unsafe extern "C" fn(
        rdl: *mut RamDiscardListener,
        section: *const MemoryRegionSection,
    ),
>;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct RamDiscardListener {
    pub notify_populate: NotifyRamPopulate,
    pub notify_discard: NotifyRamDiscard,
    pub section: *mut MemoryRegionSection,
    pub next: RamDiscardListener__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct RamDiscardListener__bindgen_ty_1 {
    pub le_next: *mut RamDiscardListener,
    pub le_prev: *mut *mut RamDiscardListener,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of RamDiscardListener__bindgen_ty_1",
    ][::core::mem::size_of::<RamDiscardListener__bindgen_ty_1>() - 16usize];
    [
        "Alignment of RamDiscardListener__bindgen_ty_1",
    ][::core::mem::align_of::<RamDiscardListener__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: RamDiscardListener__bindgen_ty_1::le_next",
    ][::core::mem::offset_of!(RamDiscardListener__bindgen_ty_1, le_next) - 0usize];
    [
        "Offset of field: RamDiscardListener__bindgen_ty_1::le_prev",
    ][::core::mem::offset_of!(RamDiscardListener__bindgen_ty_1, le_prev) - 8usize];
};
impl Default for RamDiscardListener__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of RamDiscardListener",
    ][::core::mem::size_of::<RamDiscardListener>() - 40usize];
    [
        "Alignment of RamDiscardListener",
    ][::core::mem::align_of::<RamDiscardListener>() - 8usize];
    [
        "Offset of field: RamDiscardListener::notify_populate",
    ][::core::mem::offset_of!(RamDiscardListener, notify_populate) - 0usize];
    [
        "Offset of field: RamDiscardListener::notify_discard",
    ][::core::mem::offset_of!(RamDiscardListener, notify_discard) - 8usize];
    [
        "Offset of field: RamDiscardListener::section",
    ][::core::mem::offset_of!(RamDiscardListener, section) - 16usize];
    [
        "Offset of field: RamDiscardListener::next",
    ][::core::mem::offset_of!(RamDiscardListener, next) - 24usize];
};
impl Default for RamDiscardListener {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct RamDiscardSourceEntry {
    pub rds: *mut RamDiscardSource,
    pub next: RamDiscardSourceEntry__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct RamDiscardSourceEntry__bindgen_ty_1 {
    pub le_next: *mut RamDiscardSourceEntry,
    pub le_prev: *mut *mut RamDiscardSourceEntry,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of RamDiscardSourceEntry__bindgen_ty_1",
    ][::core::mem::size_of::<RamDiscardSourceEntry__bindgen_ty_1>() - 16usize];
    [
        "Alignment of RamDiscardSourceEntry__bindgen_ty_1",
    ][::core::mem::align_of::<RamDiscardSourceEntry__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: RamDiscardSourceEntry__bindgen_ty_1::le_next",
    ][::core::mem::offset_of!(RamDiscardSourceEntry__bindgen_ty_1, le_next) - 0usize];
    [
        "Offset of field: RamDiscardSourceEntry__bindgen_ty_1::le_prev",
    ][::core::mem::offset_of!(RamDiscardSourceEntry__bindgen_ty_1, le_prev) - 8usize];
};
impl Default for RamDiscardSourceEntry__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of RamDiscardSourceEntry",
    ][::core::mem::size_of::<RamDiscardSourceEntry>() - 24usize];
    [
        "Alignment of RamDiscardSourceEntry",
    ][::core::mem::align_of::<RamDiscardSourceEntry>() - 8usize];
    [
        "Offset of field: RamDiscardSourceEntry::rds",
    ][::core::mem::offset_of!(RamDiscardSourceEntry, rds) - 0usize];
    [
        "Offset of field: RamDiscardSourceEntry::next",
    ][::core::mem::offset_of!(RamDiscardSourceEntry, next) - 8usize];
};
impl Default for RamDiscardSourceEntry {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct RamDiscardManager {
    pub parent: Object,
    pub mr: *mut MemoryRegion,
    pub source_list: RamDiscardManager__bindgen_ty_1,
    pub min_granularity: u64,
    pub rdl_list: RamDiscardManager__bindgen_ty_2,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct RamDiscardManager__bindgen_ty_1 {
    pub lh_first: *mut RamDiscardSourceEntry,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of RamDiscardManager__bindgen_ty_1",
    ][::core::mem::size_of::<RamDiscardManager__bindgen_ty_1>() - 8usize];
    [
        "Alignment of RamDiscardManager__bindgen_ty_1",
    ][::core::mem::align_of::<RamDiscardManager__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: RamDiscardManager__bindgen_ty_1::lh_first",
    ][::core::mem::offset_of!(RamDiscardManager__bindgen_ty_1, lh_first) - 0usize];
};
impl Default for RamDiscardManager__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct RamDiscardManager__bindgen_ty_2 {
    pub lh_first: *mut RamDiscardListener,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of RamDiscardManager__bindgen_ty_2",
    ][::core::mem::size_of::<RamDiscardManager__bindgen_ty_2>() - 8usize];
    [
        "Alignment of RamDiscardManager__bindgen_ty_2",
    ][::core::mem::align_of::<RamDiscardManager__bindgen_ty_2>() - 8usize];
    [
        "Offset of field: RamDiscardManager__bindgen_ty_2::lh_first",
    ][::core::mem::offset_of!(RamDiscardManager__bindgen_ty_2, lh_first) - 0usize];
};
impl Default for RamDiscardManager__bindgen_ty_2 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of RamDiscardManager"][::core::mem::size_of::<RamDiscardManager>() - 72usize];
    [
        "Alignment of RamDiscardManager",
    ][::core::mem::align_of::<RamDiscardManager>() - 8usize];
    [
        "Offset of field: RamDiscardManager::parent",
    ][::core::mem::offset_of!(RamDiscardManager, parent) - 0usize];
    [
        "Offset of field: RamDiscardManager::mr",
    ][::core::mem::offset_of!(RamDiscardManager, mr) - 40usize];
    [
        "Offset of field: RamDiscardManager::source_list",
    ][::core::mem::offset_of!(RamDiscardManager, source_list) - 48usize];
    [
        "Offset of field: RamDiscardManager::min_granularity",
    ][::core::mem::offset_of!(RamDiscardManager, min_granularity) - 56usize];
    [
        "Offset of field: RamDiscardManager::rdl_list",
    ][::core::mem::offset_of!(RamDiscardManager, rdl_list) - 64usize];
};
impl Default for RamDiscardManager {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const device_endian_DEVICE_NATIVE_ENDIAN: device_endian = device_endian(0);
pub const device_endian_DEVICE_BIG_ENDIAN: device_endian = device_endian(1);
pub const device_endian_DEVICE_LITTLE_ENDIAN: device_endian = device_endian(2);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct device_endian(pub ::core::ffi::c_uint);
#[repr(C)]
#[repr(align(16))]
#[derive(Copy, Clone)]
pub struct MemoryRegionSection {
    pub size: Int128,
    pub mr: *mut MemoryRegion,
    pub fv: *mut FlatView,
    pub offset_within_region: hwaddr,
    pub offset_within_address_space: hwaddr,
    pub readonly: bool,
    pub nonvolatile: bool,
    pub unmergeable: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of MemoryRegionSection",
    ][::core::mem::size_of::<MemoryRegionSection>() - 64usize];
    [
        "Alignment of MemoryRegionSection",
    ][::core::mem::align_of::<MemoryRegionSection>() - 16usize];
    [
        "Offset of field: MemoryRegionSection::size",
    ][::core::mem::offset_of!(MemoryRegionSection, size) - 0usize];
    [
        "Offset of field: MemoryRegionSection::mr",
    ][::core::mem::offset_of!(MemoryRegionSection, mr) - 16usize];
    [
        "Offset of field: MemoryRegionSection::fv",
    ][::core::mem::offset_of!(MemoryRegionSection, fv) - 24usize];
    [
        "Offset of field: MemoryRegionSection::offset_within_region",
    ][::core::mem::offset_of!(MemoryRegionSection, offset_within_region) - 32usize];
    [
        "Offset of field: MemoryRegionSection::offset_within_address_space",
    ][::core::mem::offset_of!(MemoryRegionSection, offset_within_address_space)
        - 40usize];
    [
        "Offset of field: MemoryRegionSection::readonly",
    ][::core::mem::offset_of!(MemoryRegionSection, readonly) - 48usize];
    [
        "Offset of field: MemoryRegionSection::nonvolatile",
    ][::core::mem::offset_of!(MemoryRegionSection, nonvolatile) - 49usize];
    [
        "Offset of field: MemoryRegionSection::unmergeable",
    ][::core::mem::offset_of!(MemoryRegionSection, unmergeable) - 50usize];
};
impl Default for MemoryRegionSection {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
impl IOMMUAccessFlags {
    pub const IOMMU_NONE: IOMMUAccessFlags = IOMMUAccessFlags(0);
    pub const IOMMU_RO: IOMMUAccessFlags = IOMMUAccessFlags(1);
    pub const IOMMU_WO: IOMMUAccessFlags = IOMMUAccessFlags(2);
    pub const IOMMU_RW: IOMMUAccessFlags = IOMMUAccessFlags(3);
    pub const IOMMU_EXEC: IOMMUAccessFlags = IOMMUAccessFlags(4);
    pub const IOMMU_PRIV: IOMMUAccessFlags = IOMMUAccessFlags(8);
    pub const IOMMU_GLOBAL: IOMMUAccessFlags = IOMMUAccessFlags(16);
    pub const IOMMU_UNTRANSLATED_ONLY: IOMMUAccessFlags = IOMMUAccessFlags(32);
}
impl ::core::ops::BitOr<IOMMUAccessFlags> for IOMMUAccessFlags {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        IOMMUAccessFlags(self.0 | other.0)
    }
}
impl ::core::ops::BitOrAssign for IOMMUAccessFlags {
    #[inline]
    fn bitor_assign(&mut self, rhs: IOMMUAccessFlags) {
        self.0 |= rhs.0;
    }
}
impl ::core::ops::BitAnd<IOMMUAccessFlags> for IOMMUAccessFlags {
    type Output = Self;
    #[inline]
    fn bitand(self, other: Self) -> Self {
        IOMMUAccessFlags(self.0 & other.0)
    }
}
impl ::core::ops::BitAndAssign for IOMMUAccessFlags {
    #[inline]
    fn bitand_assign(&mut self, rhs: IOMMUAccessFlags) {
        self.0 &= rhs.0;
    }
}
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct IOMMUAccessFlags(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IOMMUTLBEntry {
    pub target_as: *mut AddressSpace,
    pub iova: hwaddr,
    pub translated_addr: hwaddr,
    pub addr_mask: hwaddr,
    pub perm: IOMMUAccessFlags,
    pub pasid: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IOMMUTLBEntry"][::core::mem::size_of::<IOMMUTLBEntry>() - 40usize];
    ["Alignment of IOMMUTLBEntry"][::core::mem::align_of::<IOMMUTLBEntry>() - 8usize];
    [
        "Offset of field: IOMMUTLBEntry::target_as",
    ][::core::mem::offset_of!(IOMMUTLBEntry, target_as) - 0usize];
    [
        "Offset of field: IOMMUTLBEntry::iova",
    ][::core::mem::offset_of!(IOMMUTLBEntry, iova) - 8usize];
    [
        "Offset of field: IOMMUTLBEntry::translated_addr",
    ][::core::mem::offset_of!(IOMMUTLBEntry, translated_addr) - 16usize];
    [
        "Offset of field: IOMMUTLBEntry::addr_mask",
    ][::core::mem::offset_of!(IOMMUTLBEntry, addr_mask) - 24usize];
    [
        "Offset of field: IOMMUTLBEntry::perm",
    ][::core::mem::offset_of!(IOMMUTLBEntry, perm) - 32usize];
    [
        "Offset of field: IOMMUTLBEntry::pasid",
    ][::core::mem::offset_of!(IOMMUTLBEntry, pasid) - 36usize];
};
impl Default for IOMMUTLBEntry {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
impl IOMMUNotifierFlag {
    pub const IOMMU_NOTIFIER_NONE: IOMMUNotifierFlag = IOMMUNotifierFlag(0);
    pub const IOMMU_NOTIFIER_UNMAP: IOMMUNotifierFlag = IOMMUNotifierFlag(1);
    pub const IOMMU_NOTIFIER_MAP: IOMMUNotifierFlag = IOMMUNotifierFlag(2);
    pub const IOMMU_NOTIFIER_DEVIOTLB_UNMAP: IOMMUNotifierFlag = IOMMUNotifierFlag(4);
}
impl ::core::ops::BitOr<IOMMUNotifierFlag> for IOMMUNotifierFlag {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        IOMMUNotifierFlag(self.0 | other.0)
    }
}
impl ::core::ops::BitOrAssign for IOMMUNotifierFlag {
    #[inline]
    fn bitor_assign(&mut self, rhs: IOMMUNotifierFlag) {
        self.0 |= rhs.0;
    }
}
impl ::core::ops::BitAnd<IOMMUNotifierFlag> for IOMMUNotifierFlag {
    type Output = Self;
    #[inline]
    fn bitand(self, other: Self) -> Self {
        IOMMUNotifierFlag(self.0 & other.0)
    }
}
impl ::core::ops::BitAndAssign for IOMMUNotifierFlag {
    #[inline]
    fn bitand_assign(&mut self, rhs: IOMMUNotifierFlag) {
        self.0 &= rhs.0;
    }
}
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct IOMMUNotifierFlag(pub ::core::ffi::c_uint);
pub type IOMMUNotify = ::core::option::Option<
    unsafe extern "C" fn(notifier: *mut IOMMUNotifier, data: *mut IOMMUTLBEntry),
>;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IOMMUNotifier {
    pub notify: IOMMUNotify,
    pub notifier_flags: IOMMUNotifierFlag,
    pub start: hwaddr,
    pub end: hwaddr,
    pub iommu_idx: ::core::ffi::c_int,
    pub opaque: *mut ::core::ffi::c_void,
    pub node: IOMMUNotifier__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IOMMUNotifier__bindgen_ty_1 {
    pub le_next: *mut IOMMUNotifier,
    pub le_prev: *mut *mut IOMMUNotifier,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of IOMMUNotifier__bindgen_ty_1",
    ][::core::mem::size_of::<IOMMUNotifier__bindgen_ty_1>() - 16usize];
    [
        "Alignment of IOMMUNotifier__bindgen_ty_1",
    ][::core::mem::align_of::<IOMMUNotifier__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: IOMMUNotifier__bindgen_ty_1::le_next",
    ][::core::mem::offset_of!(IOMMUNotifier__bindgen_ty_1, le_next) - 0usize];
    [
        "Offset of field: IOMMUNotifier__bindgen_ty_1::le_prev",
    ][::core::mem::offset_of!(IOMMUNotifier__bindgen_ty_1, le_prev) - 8usize];
};
impl Default for IOMMUNotifier__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IOMMUNotifier"][::core::mem::size_of::<IOMMUNotifier>() - 64usize];
    ["Alignment of IOMMUNotifier"][::core::mem::align_of::<IOMMUNotifier>() - 8usize];
    [
        "Offset of field: IOMMUNotifier::notify",
    ][::core::mem::offset_of!(IOMMUNotifier, notify) - 0usize];
    [
        "Offset of field: IOMMUNotifier::notifier_flags",
    ][::core::mem::offset_of!(IOMMUNotifier, notifier_flags) - 8usize];
    [
        "Offset of field: IOMMUNotifier::start",
    ][::core::mem::offset_of!(IOMMUNotifier, start) - 16usize];
    [
        "Offset of field: IOMMUNotifier::end",
    ][::core::mem::offset_of!(IOMMUNotifier, end) - 24usize];
    [
        "Offset of field: IOMMUNotifier::iommu_idx",
    ][::core::mem::offset_of!(IOMMUNotifier, iommu_idx) - 32usize];
    [
        "Offset of field: IOMMUNotifier::opaque",
    ][::core::mem::offset_of!(IOMMUNotifier, opaque) - 40usize];
    [
        "Offset of field: IOMMUNotifier::node",
    ][::core::mem::offset_of!(IOMMUNotifier, node) - 48usize];
};
impl Default for IOMMUNotifier {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IOMMUTLBEvent {
    pub type_: IOMMUNotifierFlag,
    pub entry: IOMMUTLBEntry,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IOMMUTLBEvent"][::core::mem::size_of::<IOMMUTLBEvent>() - 48usize];
    ["Alignment of IOMMUTLBEvent"][::core::mem::align_of::<IOMMUTLBEvent>() - 8usize];
    [
        "Offset of field: IOMMUTLBEvent::type_",
    ][::core::mem::offset_of!(IOMMUTLBEvent, type_) - 0usize];
    [
        "Offset of field: IOMMUTLBEvent::entry",
    ][::core::mem::offset_of!(IOMMUTLBEvent, entry) - 8usize];
};
impl Default for IOMMUTLBEvent {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct MemoryRegionOps {
    pub read: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            addr: hwaddr,
            size: ::core::ffi::c_uint,
        ) -> u64,
    >,
    pub write: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            addr: hwaddr,
            data: u64,
            size: ::core::ffi::c_uint,
        ),
    >,
    pub read_with_attrs: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            addr: hwaddr,
            data: *mut u64,
            size: ::core::ffi::c_uint,
            attrs: MemTxAttrs,
        ) -> MemTxResult,
    >,
    pub write_with_attrs: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            addr: hwaddr,
            data: u64,
            size: ::core::ffi::c_uint,
            attrs: MemTxAttrs,
        ) -> MemTxResult,
    >,
    pub endianness: device_endian,
    pub valid: MemoryRegionOps__bindgen_ty_1,
    pub impl_: MemoryRegionOps__bindgen_ty_2,
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct MemoryRegionOps__bindgen_ty_1 {
    pub min_access_size: ::core::ffi::c_uint,
    pub max_access_size: ::core::ffi::c_uint,
    pub unaligned: bool,
    pub accepts: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            addr: hwaddr,
            size: ::core::ffi::c_uint,
            is_write: bool,
            attrs: MemTxAttrs,
        ) -> bool,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of MemoryRegionOps__bindgen_ty_1",
    ][::core::mem::size_of::<MemoryRegionOps__bindgen_ty_1>() - 24usize];
    [
        "Alignment of MemoryRegionOps__bindgen_ty_1",
    ][::core::mem::align_of::<MemoryRegionOps__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: MemoryRegionOps__bindgen_ty_1::min_access_size",
    ][::core::mem::offset_of!(MemoryRegionOps__bindgen_ty_1, min_access_size) - 0usize];
    [
        "Offset of field: MemoryRegionOps__bindgen_ty_1::max_access_size",
    ][::core::mem::offset_of!(MemoryRegionOps__bindgen_ty_1, max_access_size) - 4usize];
    [
        "Offset of field: MemoryRegionOps__bindgen_ty_1::unaligned",
    ][::core::mem::offset_of!(MemoryRegionOps__bindgen_ty_1, unaligned) - 8usize];
    [
        "Offset of field: MemoryRegionOps__bindgen_ty_1::accepts",
    ][::core::mem::offset_of!(MemoryRegionOps__bindgen_ty_1, accepts) - 16usize];
};
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct MemoryRegionOps__bindgen_ty_2 {
    pub min_access_size: ::core::ffi::c_uint,
    pub max_access_size: ::core::ffi::c_uint,
    pub unaligned: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of MemoryRegionOps__bindgen_ty_2",
    ][::core::mem::size_of::<MemoryRegionOps__bindgen_ty_2>() - 12usize];
    [
        "Alignment of MemoryRegionOps__bindgen_ty_2",
    ][::core::mem::align_of::<MemoryRegionOps__bindgen_ty_2>() - 4usize];
    [
        "Offset of field: MemoryRegionOps__bindgen_ty_2::min_access_size",
    ][::core::mem::offset_of!(MemoryRegionOps__bindgen_ty_2, min_access_size) - 0usize];
    [
        "Offset of field: MemoryRegionOps__bindgen_ty_2::max_access_size",
    ][::core::mem::offset_of!(MemoryRegionOps__bindgen_ty_2, max_access_size) - 4usize];
    [
        "Offset of field: MemoryRegionOps__bindgen_ty_2::unaligned",
    ][::core::mem::offset_of!(MemoryRegionOps__bindgen_ty_2, unaligned) - 8usize];
};
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of MemoryRegionOps"][::core::mem::size_of::<MemoryRegionOps>() - 80usize];
    [
        "Alignment of MemoryRegionOps",
    ][::core::mem::align_of::<MemoryRegionOps>() - 8usize];
    [
        "Offset of field: MemoryRegionOps::read",
    ][::core::mem::offset_of!(MemoryRegionOps, read) - 0usize];
    [
        "Offset of field: MemoryRegionOps::write",
    ][::core::mem::offset_of!(MemoryRegionOps, write) - 8usize];
    [
        "Offset of field: MemoryRegionOps::read_with_attrs",
    ][::core::mem::offset_of!(MemoryRegionOps, read_with_attrs) - 16usize];
    [
        "Offset of field: MemoryRegionOps::write_with_attrs",
    ][::core::mem::offset_of!(MemoryRegionOps, write_with_attrs) - 24usize];
    [
        "Offset of field: MemoryRegionOps::endianness",
    ][::core::mem::offset_of!(MemoryRegionOps, endianness) - 32usize];
    [
        "Offset of field: MemoryRegionOps::valid",
    ][::core::mem::offset_of!(MemoryRegionOps, valid) - 40usize];
    [
        "Offset of field: MemoryRegionOps::impl_",
    ][::core::mem::offset_of!(MemoryRegionOps, impl_) - 64usize];
};
impl Default for MemoryRegionOps {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct MemoryRegionClass {
    pub parent_class: ObjectClass,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of MemoryRegionClass"][::core::mem::size_of::<MemoryRegionClass>() - 96usize];
    [
        "Alignment of MemoryRegionClass",
    ][::core::mem::align_of::<MemoryRegionClass>() - 8usize];
    [
        "Offset of field: MemoryRegionClass::parent_class",
    ][::core::mem::offset_of!(MemoryRegionClass, parent_class) - 0usize];
};
impl Default for MemoryRegionClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const IOMMUMemoryRegionAttr_IOMMU_ATTR_SPAPR_TCE_FD: IOMMUMemoryRegionAttr = IOMMUMemoryRegionAttr(
    0,
);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct IOMMUMemoryRegionAttr(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IOMMUMemoryRegionClass {
    pub parent_class: MemoryRegionClass,
    pub translate: ::core::option::Option<
        unsafe extern "C" fn(
            iommu: *mut IOMMUMemoryRegion,
            addr: hwaddr,
            flag: IOMMUAccessFlags,
            iommu_idx: ::core::ffi::c_int,
        ) -> IOMMUTLBEntry,
    >,
    pub get_min_page_size: ::core::option::Option<
        unsafe extern "C" fn(iommu: *mut IOMMUMemoryRegion) -> u64,
    >,
    pub notify_flag_changed: ::core::option::Option<
        unsafe extern "C" fn(
            iommu: *mut IOMMUMemoryRegion,
            old_flags: IOMMUNotifierFlag,
            new_flags: IOMMUNotifierFlag,
            errp: *mut *mut Error,
        ) -> ::core::ffi::c_int,
    >,
    pub replay: ::core::option::Option<
        unsafe extern "C" fn(iommu: *mut IOMMUMemoryRegion, notifier: *mut IOMMUNotifier),
    >,
    pub get_attr: ::core::option::Option<
        unsafe extern "C" fn(
            iommu: *mut IOMMUMemoryRegion,
            attr: IOMMUMemoryRegionAttr,
            data: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub attrs_to_index: ::core::option::Option<
        unsafe extern "C" fn(
            iommu: *mut IOMMUMemoryRegion,
            attrs: MemTxAttrs,
        ) -> ::core::ffi::c_int,
    >,
    pub num_indexes: ::core::option::Option<
        unsafe extern "C" fn(iommu: *mut IOMMUMemoryRegion) -> ::core::ffi::c_int,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of IOMMUMemoryRegionClass",
    ][::core::mem::size_of::<IOMMUMemoryRegionClass>() - 152usize];
    [
        "Alignment of IOMMUMemoryRegionClass",
    ][::core::mem::align_of::<IOMMUMemoryRegionClass>() - 8usize];
    [
        "Offset of field: IOMMUMemoryRegionClass::parent_class",
    ][::core::mem::offset_of!(IOMMUMemoryRegionClass, parent_class) - 0usize];
    [
        "Offset of field: IOMMUMemoryRegionClass::translate",
    ][::core::mem::offset_of!(IOMMUMemoryRegionClass, translate) - 96usize];
    [
        "Offset of field: IOMMUMemoryRegionClass::get_min_page_size",
    ][::core::mem::offset_of!(IOMMUMemoryRegionClass, get_min_page_size) - 104usize];
    [
        "Offset of field: IOMMUMemoryRegionClass::notify_flag_changed",
    ][::core::mem::offset_of!(IOMMUMemoryRegionClass, notify_flag_changed) - 112usize];
    [
        "Offset of field: IOMMUMemoryRegionClass::replay",
    ][::core::mem::offset_of!(IOMMUMemoryRegionClass, replay) - 120usize];
    [
        "Offset of field: IOMMUMemoryRegionClass::get_attr",
    ][::core::mem::offset_of!(IOMMUMemoryRegionClass, get_attr) - 128usize];
    [
        "Offset of field: IOMMUMemoryRegionClass::attrs_to_index",
    ][::core::mem::offset_of!(IOMMUMemoryRegionClass, attrs_to_index) - 136usize];
    [
        "Offset of field: IOMMUMemoryRegionClass::num_indexes",
    ][::core::mem::offset_of!(IOMMUMemoryRegionClass, num_indexes) - 144usize];
};
impl Default for IOMMUMemoryRegionClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug)]
pub struct CoalescedMemoryRange {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct MemoryRegionIoeventfd {
    _unused: [u8; 0],
}
#[repr(C)]
#[repr(align(16))]
#[derive(Copy, Clone)]
pub struct MemoryRegion {
    pub parent_obj: Object,
    pub romd_mode: bool,
    pub ram: bool,
    pub subpage: bool,
    pub readonly: bool,
    pub nonvolatile: bool,
    pub rom_device: bool,
    pub flush_coalesced_mmio: bool,
    pub lockless_io: bool,
    pub unmergeable: bool,
    pub dirty_log_mask: u8,
    pub is_iommu: bool,
    pub ram_block: *mut RAMBlock,
    pub owner: *mut Object,
    pub dev: *mut DeviceState,
    pub ops: *const MemoryRegionOps,
    pub opaque: *mut ::core::ffi::c_void,
    pub container: *mut MemoryRegion,
    pub mapped_via_alias: ::core::ffi::c_int,
    pub size: Int128,
    pub addr: hwaddr,
    pub destructor: ::core::option::Option<unsafe extern "C" fn(mr: *mut MemoryRegion)>,
    pub align: u64,
    pub terminates: bool,
    pub ram_device: bool,
    pub enabled: bool,
    pub vga_logging_count: u8,
    pub alias: *mut MemoryRegion,
    pub alias_offset: hwaddr,
    pub priority: i32,
    pub subregions: MemoryRegion__bindgen_ty_1,
    pub subregions_link: MemoryRegion__bindgen_ty_2,
    pub coalesced: MemoryRegion__bindgen_ty_3,
    pub name: *const ::core::ffi::c_char,
    pub ioeventfd_nb: ::core::ffi::c_uint,
    pub ioeventfds: *mut MemoryRegionIoeventfd,
    pub rdm: *mut RamDiscardManager,
    pub disable_reentrancy_guard: bool,
    pub ram_device_skip_iommu_map: bool,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union MemoryRegion__bindgen_ty_1 {
    pub tqh_first: *mut MemoryRegion,
    pub tqh_circ: QTailQLink,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of MemoryRegion__bindgen_ty_1",
    ][::core::mem::size_of::<MemoryRegion__bindgen_ty_1>() - 16usize];
    [
        "Alignment of MemoryRegion__bindgen_ty_1",
    ][::core::mem::align_of::<MemoryRegion__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: MemoryRegion__bindgen_ty_1::tqh_first",
    ][::core::mem::offset_of!(MemoryRegion__bindgen_ty_1, tqh_first) - 0usize];
    [
        "Offset of field: MemoryRegion__bindgen_ty_1::tqh_circ",
    ][::core::mem::offset_of!(MemoryRegion__bindgen_ty_1, tqh_circ) - 0usize];
};
impl Default for MemoryRegion__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union MemoryRegion__bindgen_ty_2 {
    pub tqe_next: *mut MemoryRegion,
    pub tqe_circ: QTailQLink,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of MemoryRegion__bindgen_ty_2",
    ][::core::mem::size_of::<MemoryRegion__bindgen_ty_2>() - 16usize];
    [
        "Alignment of MemoryRegion__bindgen_ty_2",
    ][::core::mem::align_of::<MemoryRegion__bindgen_ty_2>() - 8usize];
    [
        "Offset of field: MemoryRegion__bindgen_ty_2::tqe_next",
    ][::core::mem::offset_of!(MemoryRegion__bindgen_ty_2, tqe_next) - 0usize];
    [
        "Offset of field: MemoryRegion__bindgen_ty_2::tqe_circ",
    ][::core::mem::offset_of!(MemoryRegion__bindgen_ty_2, tqe_circ) - 0usize];
};
impl Default for MemoryRegion__bindgen_ty_2 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union MemoryRegion__bindgen_ty_3 {
    pub tqh_first: *mut CoalescedMemoryRange,
    pub tqh_circ: QTailQLink,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of MemoryRegion__bindgen_ty_3",
    ][::core::mem::size_of::<MemoryRegion__bindgen_ty_3>() - 16usize];
    [
        "Alignment of MemoryRegion__bindgen_ty_3",
    ][::core::mem::align_of::<MemoryRegion__bindgen_ty_3>() - 8usize];
    [
        "Offset of field: MemoryRegion__bindgen_ty_3::tqh_first",
    ][::core::mem::offset_of!(MemoryRegion__bindgen_ty_3, tqh_first) - 0usize];
    [
        "Offset of field: MemoryRegion__bindgen_ty_3::tqh_circ",
    ][::core::mem::offset_of!(MemoryRegion__bindgen_ty_3, tqh_circ) - 0usize];
};
impl Default for MemoryRegion__bindgen_ty_3 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of MemoryRegion"][::core::mem::size_of::<MemoryRegion>() - 272usize];
    ["Alignment of MemoryRegion"][::core::mem::align_of::<MemoryRegion>() - 16usize];
    [
        "Offset of field: MemoryRegion::parent_obj",
    ][::core::mem::offset_of!(MemoryRegion, parent_obj) - 0usize];
    [
        "Offset of field: MemoryRegion::romd_mode",
    ][::core::mem::offset_of!(MemoryRegion, romd_mode) - 40usize];
    [
        "Offset of field: MemoryRegion::ram",
    ][::core::mem::offset_of!(MemoryRegion, ram) - 41usize];
    [
        "Offset of field: MemoryRegion::subpage",
    ][::core::mem::offset_of!(MemoryRegion, subpage) - 42usize];
    [
        "Offset of field: MemoryRegion::readonly",
    ][::core::mem::offset_of!(MemoryRegion, readonly) - 43usize];
    [
        "Offset of field: MemoryRegion::nonvolatile",
    ][::core::mem::offset_of!(MemoryRegion, nonvolatile) - 44usize];
    [
        "Offset of field: MemoryRegion::rom_device",
    ][::core::mem::offset_of!(MemoryRegion, rom_device) - 45usize];
    [
        "Offset of field: MemoryRegion::flush_coalesced_mmio",
    ][::core::mem::offset_of!(MemoryRegion, flush_coalesced_mmio) - 46usize];
    [
        "Offset of field: MemoryRegion::lockless_io",
    ][::core::mem::offset_of!(MemoryRegion, lockless_io) - 47usize];
    [
        "Offset of field: MemoryRegion::unmergeable",
    ][::core::mem::offset_of!(MemoryRegion, unmergeable) - 48usize];
    [
        "Offset of field: MemoryRegion::dirty_log_mask",
    ][::core::mem::offset_of!(MemoryRegion, dirty_log_mask) - 49usize];
    [
        "Offset of field: MemoryRegion::is_iommu",
    ][::core::mem::offset_of!(MemoryRegion, is_iommu) - 50usize];
    [
        "Offset of field: MemoryRegion::ram_block",
    ][::core::mem::offset_of!(MemoryRegion, ram_block) - 56usize];
    [
        "Offset of field: MemoryRegion::owner",
    ][::core::mem::offset_of!(MemoryRegion, owner) - 64usize];
    [
        "Offset of field: MemoryRegion::dev",
    ][::core::mem::offset_of!(MemoryRegion, dev) - 72usize];
    [
        "Offset of field: MemoryRegion::ops",
    ][::core::mem::offset_of!(MemoryRegion, ops) - 80usize];
    [
        "Offset of field: MemoryRegion::opaque",
    ][::core::mem::offset_of!(MemoryRegion, opaque) - 88usize];
    [
        "Offset of field: MemoryRegion::container",
    ][::core::mem::offset_of!(MemoryRegion, container) - 96usize];
    [
        "Offset of field: MemoryRegion::mapped_via_alias",
    ][::core::mem::offset_of!(MemoryRegion, mapped_via_alias) - 104usize];
    [
        "Offset of field: MemoryRegion::size",
    ][::core::mem::offset_of!(MemoryRegion, size) - 112usize];
    [
        "Offset of field: MemoryRegion::addr",
    ][::core::mem::offset_of!(MemoryRegion, addr) - 128usize];
    [
        "Offset of field: MemoryRegion::destructor",
    ][::core::mem::offset_of!(MemoryRegion, destructor) - 136usize];
    [
        "Offset of field: MemoryRegion::align",
    ][::core::mem::offset_of!(MemoryRegion, align) - 144usize];
    [
        "Offset of field: MemoryRegion::terminates",
    ][::core::mem::offset_of!(MemoryRegion, terminates) - 152usize];
    [
        "Offset of field: MemoryRegion::ram_device",
    ][::core::mem::offset_of!(MemoryRegion, ram_device) - 153usize];
    [
        "Offset of field: MemoryRegion::enabled",
    ][::core::mem::offset_of!(MemoryRegion, enabled) - 154usize];
    [
        "Offset of field: MemoryRegion::vga_logging_count",
    ][::core::mem::offset_of!(MemoryRegion, vga_logging_count) - 155usize];
    [
        "Offset of field: MemoryRegion::alias",
    ][::core::mem::offset_of!(MemoryRegion, alias) - 160usize];
    [
        "Offset of field: MemoryRegion::alias_offset",
    ][::core::mem::offset_of!(MemoryRegion, alias_offset) - 168usize];
    [
        "Offset of field: MemoryRegion::priority",
    ][::core::mem::offset_of!(MemoryRegion, priority) - 176usize];
    [
        "Offset of field: MemoryRegion::subregions",
    ][::core::mem::offset_of!(MemoryRegion, subregions) - 184usize];
    [
        "Offset of field: MemoryRegion::subregions_link",
    ][::core::mem::offset_of!(MemoryRegion, subregions_link) - 200usize];
    [
        "Offset of field: MemoryRegion::coalesced",
    ][::core::mem::offset_of!(MemoryRegion, coalesced) - 216usize];
    [
        "Offset of field: MemoryRegion::name",
    ][::core::mem::offset_of!(MemoryRegion, name) - 232usize];
    [
        "Offset of field: MemoryRegion::ioeventfd_nb",
    ][::core::mem::offset_of!(MemoryRegion, ioeventfd_nb) - 240usize];
    [
        "Offset of field: MemoryRegion::ioeventfds",
    ][::core::mem::offset_of!(MemoryRegion, ioeventfds) - 248usize];
    [
        "Offset of field: MemoryRegion::rdm",
    ][::core::mem::offset_of!(MemoryRegion, rdm) - 256usize];
    [
        "Offset of field: MemoryRegion::disable_reentrancy_guard",
    ][::core::mem::offset_of!(MemoryRegion, disable_reentrancy_guard) - 264usize];
    [
        "Offset of field: MemoryRegion::ram_device_skip_iommu_map",
    ][::core::mem::offset_of!(MemoryRegion, ram_device_skip_iommu_map) - 265usize];
};
impl Default for MemoryRegion {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[repr(align(16))]
#[derive(Copy, Clone)]
pub struct IOMMUMemoryRegion {
    pub parent_obj: MemoryRegion,
    pub iommu_notify: IOMMUMemoryRegion__bindgen_ty_1,
    pub iommu_notify_flags: IOMMUNotifierFlag,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IOMMUMemoryRegion__bindgen_ty_1 {
    pub lh_first: *mut IOMMUNotifier,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of IOMMUMemoryRegion__bindgen_ty_1",
    ][::core::mem::size_of::<IOMMUMemoryRegion__bindgen_ty_1>() - 8usize];
    [
        "Alignment of IOMMUMemoryRegion__bindgen_ty_1",
    ][::core::mem::align_of::<IOMMUMemoryRegion__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: IOMMUMemoryRegion__bindgen_ty_1::lh_first",
    ][::core::mem::offset_of!(IOMMUMemoryRegion__bindgen_ty_1, lh_first) - 0usize];
};
impl Default for IOMMUMemoryRegion__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of IOMMUMemoryRegion",
    ][::core::mem::size_of::<IOMMUMemoryRegion>() - 288usize];
    [
        "Alignment of IOMMUMemoryRegion",
    ][::core::mem::align_of::<IOMMUMemoryRegion>() - 16usize];
    [
        "Offset of field: IOMMUMemoryRegion::parent_obj",
    ][::core::mem::offset_of!(IOMMUMemoryRegion, parent_obj) - 0usize];
    [
        "Offset of field: IOMMUMemoryRegion::iommu_notify",
    ][::core::mem::offset_of!(IOMMUMemoryRegion, iommu_notify) - 272usize];
    [
        "Offset of field: IOMMUMemoryRegion::iommu_notify_flags",
    ][::core::mem::offset_of!(IOMMUMemoryRegion, iommu_notify_flags) - 280usize];
};
impl Default for IOMMUMemoryRegion {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct MemoryListener {
    pub begin: ::core::option::Option<
        unsafe extern "C" fn(listener: *mut MemoryListener),
    >,
    pub commit: ::core::option::Option<
        unsafe extern "C" fn(listener: *mut MemoryListener),
    >,
    pub region_add: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            section: *mut MemoryRegionSection,
        ),
    >,
    pub region_del: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            section: *mut MemoryRegionSection,
        ),
    >,
    pub region_nop: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            section: *mut MemoryRegionSection,
        ),
    >,
    pub log_start: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            section: *mut MemoryRegionSection,
            old_val: ::core::ffi::c_int,
            new_val: ::core::ffi::c_int,
        ),
    >,
    pub log_stop: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            section: *mut MemoryRegionSection,
            old_val: ::core::ffi::c_int,
            new_val: ::core::ffi::c_int,
        ),
    >,
    pub log_sync: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            section: *mut MemoryRegionSection,
        ),
    >,
    pub log_sync_global: ::core::option::Option<
        unsafe extern "C" fn(listener: *mut MemoryListener, last_stage: bool),
    >,
    pub log_clear: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            section: *mut MemoryRegionSection,
        ),
    >,
    pub log_global_start: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            errp: *mut *mut Error,
        ) -> bool,
    >,
    pub log_global_stop: ::core::option::Option<
        unsafe extern "C" fn(listener: *mut MemoryListener),
    >,
    pub log_global_after_sync: ::core::option::Option<
        unsafe extern "C" fn(listener: *mut MemoryListener),
    >,
    pub eventfd_add: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            section: *mut MemoryRegionSection,
            match_data: bool,
            data: u64,
            e: *mut EventNotifier,
        ),
    >,
    pub eventfd_del: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            section: *mut MemoryRegionSection,
            match_data: bool,
            data: u64,
            e: *mut EventNotifier,
        ),
    >,
    pub coalesced_io_add: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            section: *mut MemoryRegionSection,
            addr: hwaddr,
            len: hwaddr,
        ),
    >,
    pub coalesced_io_del: ::core::option::Option<
        unsafe extern "C" fn(
            listener: *mut MemoryListener,
            section: *mut MemoryRegionSection,
            addr: hwaddr,
            len: hwaddr,
        ),
    >,
    pub priority: ::core::ffi::c_uint,
    pub name: *const ::core::ffi::c_char,
    pub address_space: *mut AddressSpace,
    pub link: MemoryListener__bindgen_ty_1,
    pub link_as: MemoryListener__bindgen_ty_2,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union MemoryListener__bindgen_ty_1 {
    pub tqe_next: *mut MemoryListener,
    pub tqe_circ: QTailQLink,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of MemoryListener__bindgen_ty_1",
    ][::core::mem::size_of::<MemoryListener__bindgen_ty_1>() - 16usize];
    [
        "Alignment of MemoryListener__bindgen_ty_1",
    ][::core::mem::align_of::<MemoryListener__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: MemoryListener__bindgen_ty_1::tqe_next",
    ][::core::mem::offset_of!(MemoryListener__bindgen_ty_1, tqe_next) - 0usize];
    [
        "Offset of field: MemoryListener__bindgen_ty_1::tqe_circ",
    ][::core::mem::offset_of!(MemoryListener__bindgen_ty_1, tqe_circ) - 0usize];
};
impl Default for MemoryListener__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union MemoryListener__bindgen_ty_2 {
    pub tqe_next: *mut MemoryListener,
    pub tqe_circ: QTailQLink,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of MemoryListener__bindgen_ty_2",
    ][::core::mem::size_of::<MemoryListener__bindgen_ty_2>() - 16usize];
    [
        "Alignment of MemoryListener__bindgen_ty_2",
    ][::core::mem::align_of::<MemoryListener__bindgen_ty_2>() - 8usize];
    [
        "Offset of field: MemoryListener__bindgen_ty_2::tqe_next",
    ][::core::mem::offset_of!(MemoryListener__bindgen_ty_2, tqe_next) - 0usize];
    [
        "Offset of field: MemoryListener__bindgen_ty_2::tqe_circ",
    ][::core::mem::offset_of!(MemoryListener__bindgen_ty_2, tqe_circ) - 0usize];
};
impl Default for MemoryListener__bindgen_ty_2 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of MemoryListener"][::core::mem::size_of::<MemoryListener>() - 192usize];
    ["Alignment of MemoryListener"][::core::mem::align_of::<MemoryListener>() - 8usize];
    [
        "Offset of field: MemoryListener::begin",
    ][::core::mem::offset_of!(MemoryListener, begin) - 0usize];
    [
        "Offset of field: MemoryListener::commit",
    ][::core::mem::offset_of!(MemoryListener, commit) - 8usize];
    [
        "Offset of field: MemoryListener::region_add",
    ][::core::mem::offset_of!(MemoryListener, region_add) - 16usize];
    [
        "Offset of field: MemoryListener::region_del",
    ][::core::mem::offset_of!(MemoryListener, region_del) - 24usize];
    [
        "Offset of field: MemoryListener::region_nop",
    ][::core::mem::offset_of!(MemoryListener, region_nop) - 32usize];
    [
        "Offset of field: MemoryListener::log_start",
    ][::core::mem::offset_of!(MemoryListener, log_start) - 40usize];
    [
        "Offset of field: MemoryListener::log_stop",
    ][::core::mem::offset_of!(MemoryListener, log_stop) - 48usize];
    [
        "Offset of field: MemoryListener::log_sync",
    ][::core::mem::offset_of!(MemoryListener, log_sync) - 56usize];
    [
        "Offset of field: MemoryListener::log_sync_global",
    ][::core::mem::offset_of!(MemoryListener, log_sync_global) - 64usize];
    [
        "Offset of field: MemoryListener::log_clear",
    ][::core::mem::offset_of!(MemoryListener, log_clear) - 72usize];
    [
        "Offset of field: MemoryListener::log_global_start",
    ][::core::mem::offset_of!(MemoryListener, log_global_start) - 80usize];
    [
        "Offset of field: MemoryListener::log_global_stop",
    ][::core::mem::offset_of!(MemoryListener, log_global_stop) - 88usize];
    [
        "Offset of field: MemoryListener::log_global_after_sync",
    ][::core::mem::offset_of!(MemoryListener, log_global_after_sync) - 96usize];
    [
        "Offset of field: MemoryListener::eventfd_add",
    ][::core::mem::offset_of!(MemoryListener, eventfd_add) - 104usize];
    [
        "Offset of field: MemoryListener::eventfd_del",
    ][::core::mem::offset_of!(MemoryListener, eventfd_del) - 112usize];
    [
        "Offset of field: MemoryListener::coalesced_io_add",
    ][::core::mem::offset_of!(MemoryListener, coalesced_io_add) - 120usize];
    [
        "Offset of field: MemoryListener::coalesced_io_del",
    ][::core::mem::offset_of!(MemoryListener, coalesced_io_del) - 128usize];
    [
        "Offset of field: MemoryListener::priority",
    ][::core::mem::offset_of!(MemoryListener, priority) - 136usize];
    [
        "Offset of field: MemoryListener::name",
    ][::core::mem::offset_of!(MemoryListener, name) - 144usize];
    [
        "Offset of field: MemoryListener::address_space",
    ][::core::mem::offset_of!(MemoryListener, address_space) - 152usize];
    [
        "Offset of field: MemoryListener::link",
    ][::core::mem::offset_of!(MemoryListener, link) - 160usize];
    [
        "Offset of field: MemoryListener::link_as",
    ][::core::mem::offset_of!(MemoryListener, link_as) - 176usize];
};
impl Default for MemoryListener {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct AddressSpaceMapClient {
    pub bh: *mut QEMUBH,
    pub link: AddressSpaceMapClient__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct AddressSpaceMapClient__bindgen_ty_1 {
    pub le_next: *mut AddressSpaceMapClient,
    pub le_prev: *mut *mut AddressSpaceMapClient,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of AddressSpaceMapClient__bindgen_ty_1",
    ][::core::mem::size_of::<AddressSpaceMapClient__bindgen_ty_1>() - 16usize];
    [
        "Alignment of AddressSpaceMapClient__bindgen_ty_1",
    ][::core::mem::align_of::<AddressSpaceMapClient__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: AddressSpaceMapClient__bindgen_ty_1::le_next",
    ][::core::mem::offset_of!(AddressSpaceMapClient__bindgen_ty_1, le_next) - 0usize];
    [
        "Offset of field: AddressSpaceMapClient__bindgen_ty_1::le_prev",
    ][::core::mem::offset_of!(AddressSpaceMapClient__bindgen_ty_1, le_prev) - 8usize];
};
impl Default for AddressSpaceMapClient__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of AddressSpaceMapClient",
    ][::core::mem::size_of::<AddressSpaceMapClient>() - 24usize];
    [
        "Alignment of AddressSpaceMapClient",
    ][::core::mem::align_of::<AddressSpaceMapClient>() - 8usize];
    [
        "Offset of field: AddressSpaceMapClient::bh",
    ][::core::mem::offset_of!(AddressSpaceMapClient, bh) - 0usize];
    [
        "Offset of field: AddressSpaceMapClient::link",
    ][::core::mem::offset_of!(AddressSpaceMapClient, link) - 8usize];
};
impl Default for AddressSpaceMapClient {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct AddressSpace {
    pub rcu: rcu_head,
    pub name: *mut ::core::ffi::c_char,
    pub root: *mut MemoryRegion,
    pub current_map: *mut FlatView,
    pub ioeventfd_nb: ::core::ffi::c_int,
    pub ioeventfd_notifiers: ::core::ffi::c_int,
    pub ioeventfds: *mut MemoryRegionIoeventfd,
    pub listeners: AddressSpace__bindgen_ty_1,
    pub address_spaces_link: AddressSpace__bindgen_ty_2,
    pub max_bounce_buffer_size: usize,
    pub bounce_buffer_size: usize,
    pub map_client_list_lock: QemuMutex,
    pub map_client_list: AddressSpace__bindgen_ty_3,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union AddressSpace__bindgen_ty_1 {
    pub tqh_first: *mut MemoryListener,
    pub tqh_circ: QTailQLink,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of AddressSpace__bindgen_ty_1",
    ][::core::mem::size_of::<AddressSpace__bindgen_ty_1>() - 16usize];
    [
        "Alignment of AddressSpace__bindgen_ty_1",
    ][::core::mem::align_of::<AddressSpace__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: AddressSpace__bindgen_ty_1::tqh_first",
    ][::core::mem::offset_of!(AddressSpace__bindgen_ty_1, tqh_first) - 0usize];
    [
        "Offset of field: AddressSpace__bindgen_ty_1::tqh_circ",
    ][::core::mem::offset_of!(AddressSpace__bindgen_ty_1, tqh_circ) - 0usize];
};
impl Default for AddressSpace__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union AddressSpace__bindgen_ty_2 {
    pub tqe_next: *mut AddressSpace,
    pub tqe_circ: QTailQLink,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of AddressSpace__bindgen_ty_2",
    ][::core::mem::size_of::<AddressSpace__bindgen_ty_2>() - 16usize];
    [
        "Alignment of AddressSpace__bindgen_ty_2",
    ][::core::mem::align_of::<AddressSpace__bindgen_ty_2>() - 8usize];
    [
        "Offset of field: AddressSpace__bindgen_ty_2::tqe_next",
    ][::core::mem::offset_of!(AddressSpace__bindgen_ty_2, tqe_next) - 0usize];
    [
        "Offset of field: AddressSpace__bindgen_ty_2::tqe_circ",
    ][::core::mem::offset_of!(AddressSpace__bindgen_ty_2, tqe_circ) - 0usize];
};
impl Default for AddressSpace__bindgen_ty_2 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct AddressSpace__bindgen_ty_3 {
    pub lh_first: *mut AddressSpaceMapClient,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of AddressSpace__bindgen_ty_3",
    ][::core::mem::size_of::<AddressSpace__bindgen_ty_3>() - 8usize];
    [
        "Alignment of AddressSpace__bindgen_ty_3",
    ][::core::mem::align_of::<AddressSpace__bindgen_ty_3>() - 8usize];
    [
        "Offset of field: AddressSpace__bindgen_ty_3::lh_first",
    ][::core::mem::offset_of!(AddressSpace__bindgen_ty_3, lh_first) - 0usize];
};
impl Default for AddressSpace__bindgen_ty_3 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of AddressSpace"][::core::mem::size_of::<AddressSpace>() - 160usize];
    ["Alignment of AddressSpace"][::core::mem::align_of::<AddressSpace>() - 8usize];
    [
        "Offset of field: AddressSpace::rcu",
    ][::core::mem::offset_of!(AddressSpace, rcu) - 0usize];
    [
        "Offset of field: AddressSpace::name",
    ][::core::mem::offset_of!(AddressSpace, name) - 16usize];
    [
        "Offset of field: AddressSpace::root",
    ][::core::mem::offset_of!(AddressSpace, root) - 24usize];
    [
        "Offset of field: AddressSpace::current_map",
    ][::core::mem::offset_of!(AddressSpace, current_map) - 32usize];
    [
        "Offset of field: AddressSpace::ioeventfd_nb",
    ][::core::mem::offset_of!(AddressSpace, ioeventfd_nb) - 40usize];
    [
        "Offset of field: AddressSpace::ioeventfd_notifiers",
    ][::core::mem::offset_of!(AddressSpace, ioeventfd_notifiers) - 44usize];
    [
        "Offset of field: AddressSpace::ioeventfds",
    ][::core::mem::offset_of!(AddressSpace, ioeventfds) - 48usize];
    [
        "Offset of field: AddressSpace::listeners",
    ][::core::mem::offset_of!(AddressSpace, listeners) - 56usize];
    [
        "Offset of field: AddressSpace::address_spaces_link",
    ][::core::mem::offset_of!(AddressSpace, address_spaces_link) - 72usize];
    [
        "Offset of field: AddressSpace::max_bounce_buffer_size",
    ][::core::mem::offset_of!(AddressSpace, max_bounce_buffer_size) - 88usize];
    [
        "Offset of field: AddressSpace::bounce_buffer_size",
    ][::core::mem::offset_of!(AddressSpace, bounce_buffer_size) - 96usize];
    [
        "Offset of field: AddressSpace::map_client_list_lock",
    ][::core::mem::offset_of!(AddressSpace, map_client_list_lock) - 104usize];
    [
        "Offset of field: AddressSpace::map_client_list",
    ][::core::mem::offset_of!(AddressSpace, map_client_list) - 152usize];
};
impl Default for AddressSpace {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug)]
pub struct AddressSpaceDispatch {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct FlatRange {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct FlatView {
    pub rcu: rcu_head,
    pub ref_: ::core::ffi::c_uint,
    pub ranges: *mut FlatRange,
    pub nr: ::core::ffi::c_uint,
    pub nr_allocated: ::core::ffi::c_uint,
    pub dispatch: *mut AddressSpaceDispatch,
    pub root: *mut MemoryRegion,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of FlatView"][::core::mem::size_of::<FlatView>() - 56usize];
    ["Alignment of FlatView"][::core::mem::align_of::<FlatView>() - 8usize];
    ["Offset of field: FlatView::rcu"][::core::mem::offset_of!(FlatView, rcu) - 0usize];
    [
        "Offset of field: FlatView::ref_",
    ][::core::mem::offset_of!(FlatView, ref_) - 16usize];
    [
        "Offset of field: FlatView::ranges",
    ][::core::mem::offset_of!(FlatView, ranges) - 24usize];
    ["Offset of field: FlatView::nr"][::core::mem::offset_of!(FlatView, nr) - 32usize];
    [
        "Offset of field: FlatView::nr_allocated",
    ][::core::mem::offset_of!(FlatView, nr_allocated) - 36usize];
    [
        "Offset of field: FlatView::dispatch",
    ][::core::mem::offset_of!(FlatView, dispatch) - 40usize];
    [
        "Offset of field: FlatView::root",
    ][::core::mem::offset_of!(FlatView, root) - 48usize];
};
impl Default for FlatView {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn memory_region_init(
        mr: *mut MemoryRegion,
        owner: *mut Object,
        name: *const ::core::ffi::c_char,
        size: u64,
    );
}
unsafe extern "C" {
    pub fn memory_region_init_io(
        mr: *mut MemoryRegion,
        owner: *mut Object,
        ops: *const MemoryRegionOps,
        opaque: *mut ::core::ffi::c_void,
        name: *const ::core::ffi::c_char,
        size: u64,
    );
}
unsafe extern "C" {
    pub fn memory_region_init_ram_ptr(
        mr: *mut MemoryRegion,
        owner: *mut Object,
        name: *const ::core::ffi::c_char,
        size: u64,
        ptr: *mut ::core::ffi::c_void,
    );
}
unsafe extern "C" {
    pub fn memory_region_init_alias(
        mr: *mut MemoryRegion,
        owner: *mut Object,
        name: *const ::core::ffi::c_char,
        orig: *mut MemoryRegion,
        offset: hwaddr,
        size: u64,
    );
}
unsafe extern "C" {
    pub fn memory_region_init_iommu(
        _iommu_mr: *mut ::core::ffi::c_void,
        instance_size: usize,
        mrtypename: *const ::core::ffi::c_char,
        owner: *mut Object,
        name: *const ::core::ffi::c_char,
        size: u64,
    );
}
unsafe extern "C" {
    pub fn memory_region_init_ram(
        mr: *mut MemoryRegion,
        owner: *mut Object,
        name: *const ::core::ffi::c_char,
        size: u64,
        errp: *mut *mut Error,
    ) -> bool;
}
unsafe extern "C" {
    pub fn memory_region_size(mr: *const MemoryRegion) -> u64;
}
unsafe extern "C" {
    pub fn memory_region_notify_iommu(
        iommu_mr: *mut IOMMUMemoryRegion,
        iommu_idx: ::core::ffi::c_int,
        event: IOMMUTLBEvent,
    );
}
unsafe extern "C" {
    pub fn memory_region_register_iommu_notifier(
        mr: *mut MemoryRegion,
        n: *mut IOMMUNotifier,
        errp: *mut *mut Error,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn memory_region_iommu_replay(
        iommu_mr: *mut IOMMUMemoryRegion,
        n: *mut IOMMUNotifier,
    );
}
unsafe extern "C" {
    pub fn memory_region_unregister_iommu_notifier(
        mr: *mut MemoryRegion,
        n: *mut IOMMUNotifier,
    );
}
unsafe extern "C" {
    pub fn memory_region_name(mr: *const MemoryRegion) -> *const ::core::ffi::c_char;
}
unsafe extern "C" {
    pub fn memory_region_from_host(
        ptr: *mut ::core::ffi::c_void,
        offset: *mut ram_addr_t,
    ) -> *mut MemoryRegion;
}
unsafe extern "C" {
    pub fn memory_region_get_ram_ptr(
        mr: *const MemoryRegion,
    ) -> *mut ::core::ffi::c_void;
}
unsafe extern "C" {
    pub fn memory_region_add_subregion(
        mr: *mut MemoryRegion,
        offset: hwaddr,
        subregion: *mut MemoryRegion,
    );
}
unsafe extern "C" {
    pub fn memory_region_add_subregion_overlap(
        mr: *mut MemoryRegion,
        offset: hwaddr,
        subregion: *mut MemoryRegion,
        priority: ::core::ffi::c_int,
    );
}
unsafe extern "C" {
    pub fn memory_region_del_subregion(
        mr: *mut MemoryRegion,
        subregion: *mut MemoryRegion,
    );
}
unsafe extern "C" {
    pub fn memory_region_set_enabled(mr: *mut MemoryRegion, enabled: bool);
}
unsafe extern "C" {
    pub fn memory_region_transaction_begin();
}
unsafe extern "C" {
    pub fn memory_region_transaction_commit();
}
unsafe extern "C" {
    pub fn memory_listener_register(
        listener: *mut MemoryListener,
        filter: *mut AddressSpace,
    );
}
unsafe extern "C" {
    pub fn address_space_init(
        as_: *mut AddressSpace,
        root: *mut MemoryRegion,
        name: *const ::core::ffi::c_char,
    );
}
unsafe extern "C" {
    pub fn address_space_destroy(as_: *mut AddressSpace);
}
unsafe extern "C" {
    pub fn address_space_destroy_free(as_: *mut AddressSpace);
}
unsafe extern "C" {
    pub fn address_space_rw(
        as_: *const AddressSpace,
        addr: hwaddr,
        attrs: MemTxAttrs,
        buf: *mut ::core::ffi::c_void,
        len: hwaddr,
        is_write: bool,
    ) -> MemTxResult;
}
unsafe extern "C" {
    pub fn address_space_write(
        as_: *const AddressSpace,
        addr: hwaddr,
        attrs: MemTxAttrs,
        buf: *const ::core::ffi::c_void,
        len: hwaddr,
    ) -> MemTxResult;
}
unsafe extern "C" {
    pub fn address_space_stl_le(
        as_: *mut AddressSpace,
        addr: hwaddr,
        val: u32,
        attrs: MemTxAttrs,
        result: *mut MemTxResult,
    );
}
unsafe extern "C" {
    pub fn flatview_translate(
        fv: *mut FlatView,
        addr: hwaddr,
        xlat: *mut hwaddr,
        len: *mut hwaddr,
        is_write: bool,
        attrs: MemTxAttrs,
    ) -> *mut MemoryRegion;
}
unsafe extern "C" {
    pub fn address_space_map(
        as_: *mut AddressSpace,
        addr: hwaddr,
        plen: *mut hwaddr,
        is_write: bool,
        attrs: MemTxAttrs,
    ) -> *mut ::core::ffi::c_void;
}
unsafe extern "C" {
    pub fn address_space_unmap(
        as_: *mut AddressSpace,
        buffer: *mut ::core::ffi::c_void,
        len: hwaddr,
        is_write: bool,
        access_len: hwaddr,
    );
}
unsafe extern "C" {
    pub fn address_space_read_full(
        as_: *const AddressSpace,
        addr: hwaddr,
        attrs: MemTxAttrs,
        buf: *mut ::core::ffi::c_void,
        len: hwaddr,
    ) -> MemTxResult;
}
pub const RunState_RUN_STATE_DEBUG: RunState = RunState(0);
pub const RunState_RUN_STATE_INMIGRATE: RunState = RunState(1);
pub const RunState_RUN_STATE_INTERNAL_ERROR: RunState = RunState(2);
pub const RunState_RUN_STATE_IO_ERROR: RunState = RunState(3);
pub const RunState_RUN_STATE_PAUSED: RunState = RunState(4);
pub const RunState_RUN_STATE_POSTMIGRATE: RunState = RunState(5);
pub const RunState_RUN_STATE_PRELAUNCH: RunState = RunState(6);
pub const RunState_RUN_STATE_FINISH_MIGRATE: RunState = RunState(7);
pub const RunState_RUN_STATE_RESTORE_VM: RunState = RunState(8);
pub const RunState_RUN_STATE_RUNNING: RunState = RunState(9);
pub const RunState_RUN_STATE_SAVE_VM: RunState = RunState(10);
pub const RunState_RUN_STATE_SHUTDOWN: RunState = RunState(11);
pub const RunState_RUN_STATE_SUSPENDED: RunState = RunState(12);
pub const RunState_RUN_STATE_WATCHDOG: RunState = RunState(13);
pub const RunState_RUN_STATE_GUEST_PANICKED: RunState = RunState(14);
pub const RunState_RUN_STATE_COLO: RunState = RunState(15);
pub const RunState_RUN_STATE__MAX: RunState = RunState(16);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct RunState(pub ::core::ffi::c_uint);
unsafe extern "C" {
    pub fn runstate_is_running() -> bool;
}
pub type VMChangeStateHandler = ::core::option::Option<
    unsafe extern "C" fn(
        opaque: *mut ::core::ffi::c_void,
        running: bool,
        state: RunState,
    ),
>;
unsafe extern "C" {
    pub fn qemu_add_vm_change_state_handler(
        cb: VMChangeStateHandler,
        opaque: *mut ::core::ffi::c_void,
    ) -> *mut VMChangeStateEntry;
}
unsafe extern "C" {
    pub fn qemu_del_vm_change_state_handler(e: *mut VMChangeStateEntry);
}
pub const OnOffAuto_ON_OFF_AUTO_AUTO: OnOffAuto = OnOffAuto(0);
pub const OnOffAuto_ON_OFF_AUTO_ON: OnOffAuto = OnOffAuto(1);
pub const OnOffAuto_ON_OFF_AUTO_OFF: OnOffAuto = OnOffAuto(2);
pub const OnOffAuto_ON_OFF_AUTO__MAX: OnOffAuto = OnOffAuto(3);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct OnOffAuto(pub ::core::ffi::c_uint);
unsafe extern "C" {
    pub fn migrate_add_blocker(
        reasonp: *mut *mut Error,
        errp: *mut *mut Error,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn migrate_del_blocker(reasonp: *mut *mut Error);
}
unsafe extern "C" {
    pub fn qemu_file_get_error(f: *mut QEMUFile) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn qemu_put_buffer(f: *mut QEMUFile, buf: *const u8, size: usize);
}
unsafe extern "C" {
    pub fn qemu_put_byte(f: *mut QEMUFile, v: ::core::ffi::c_int);
}
unsafe extern "C" {
    pub fn qemu_put_be16(f: *mut QEMUFile, v: ::core::ffi::c_uint);
}
unsafe extern "C" {
    pub fn qemu_put_be32(f: *mut QEMUFile, v: ::core::ffi::c_uint);
}
unsafe extern "C" {
    pub fn qemu_put_be64(f: *mut QEMUFile, v: u64);
}
unsafe extern "C" {
    pub fn qemu_get_buffer(f: *mut QEMUFile, buf: *mut u8, size: usize) -> usize;
}
unsafe extern "C" {
    pub fn qemu_get_byte(f: *mut QEMUFile) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn qemu_get_be16(f: *mut QEMUFile) -> ::core::ffi::c_uint;
}
unsafe extern "C" {
    pub fn qemu_get_be32(f: *mut QEMUFile) -> ::core::ffi::c_uint;
}
unsafe extern "C" {
    pub fn qemu_get_be64(f: *mut QEMUFile) -> u64;
}
#[repr(C)]
#[derive(Debug)]
pub struct VMStateIf {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct VMStateInfo {
    pub name: *const ::core::ffi::c_char,
    pub get: ::core::option::Option<
        unsafe extern "C" fn(
            f: *mut QEMUFile,
            pv: *mut ::core::ffi::c_void,
            size: usize,
            field: *const VMStateField,
        ) -> ::core::ffi::c_int,
    >,
    pub put: ::core::option::Option<
        unsafe extern "C" fn(
            f: *mut QEMUFile,
            pv: *mut ::core::ffi::c_void,
            size: usize,
            field: *const VMStateField,
            vmdesc: *mut JSONWriter,
        ) -> ::core::ffi::c_int,
    >,
    pub load: ::core::option::Option<
        unsafe extern "C" fn(
            f: *mut QEMUFile,
            pv: *mut ::core::ffi::c_void,
            size: usize,
            field: *const VMStateField,
            errp: *mut *mut Error,
        ) -> bool,
    >,
    pub save: ::core::option::Option<
        unsafe extern "C" fn(
            f: *mut QEMUFile,
            pv: *mut ::core::ffi::c_void,
            size: usize,
            field: *const VMStateField,
            vmdesc: *mut JSONWriter,
            errp: *mut *mut Error,
        ) -> bool,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of VMStateInfo"][::core::mem::size_of::<VMStateInfo>() - 40usize];
    ["Alignment of VMStateInfo"][::core::mem::align_of::<VMStateInfo>() - 8usize];
    [
        "Offset of field: VMStateInfo::name",
    ][::core::mem::offset_of!(VMStateInfo, name) - 0usize];
    [
        "Offset of field: VMStateInfo::get",
    ][::core::mem::offset_of!(VMStateInfo, get) - 8usize];
    [
        "Offset of field: VMStateInfo::put",
    ][::core::mem::offset_of!(VMStateInfo, put) - 16usize];
    [
        "Offset of field: VMStateInfo::load",
    ][::core::mem::offset_of!(VMStateInfo, load) - 24usize];
    [
        "Offset of field: VMStateInfo::save",
    ][::core::mem::offset_of!(VMStateInfo, save) - 32usize];
};
impl Default for VMStateInfo {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
impl VMStateFlags {
    pub const VMS_SINGLE: VMStateFlags = VMStateFlags(1);
    pub const VMS_POINTER: VMStateFlags = VMStateFlags(2);
    pub const VMS_ARRAY: VMStateFlags = VMStateFlags(4);
    pub const VMS_STRUCT: VMStateFlags = VMStateFlags(8);
    pub const VMS_VARRAY_INT32: VMStateFlags = VMStateFlags(16);
    pub const VMS_BUFFER: VMStateFlags = VMStateFlags(32);
    pub const VMS_ARRAY_OF_POINTER: VMStateFlags = VMStateFlags(64);
    pub const VMS_VARRAY_UINT16: VMStateFlags = VMStateFlags(128);
    pub const VMS_VBUFFER: VMStateFlags = VMStateFlags(256);
    pub const VMS_MULTIPLY: VMStateFlags = VMStateFlags(512);
    pub const VMS_VARRAY_UINT8: VMStateFlags = VMStateFlags(1024);
    pub const VMS_VARRAY_UINT32: VMStateFlags = VMStateFlags(2048);
    pub const VMS_MUST_EXIST: VMStateFlags = VMStateFlags(4096);
    pub const VMS_ALLOC: VMStateFlags = VMStateFlags(8192);
    pub const VMS_VSTRUCT: VMStateFlags = VMStateFlags(32768);
    pub const VMS_ARRAY_OF_POINTER_AUTO_ALLOC: VMStateFlags = VMStateFlags(65536);
    pub const VMS_END: VMStateFlags = VMStateFlags(131072);
}
impl ::core::ops::BitOr<VMStateFlags> for VMStateFlags {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        VMStateFlags(self.0 | other.0)
    }
}
impl ::core::ops::BitOrAssign for VMStateFlags {
    #[inline]
    fn bitor_assign(&mut self, rhs: VMStateFlags) {
        self.0 |= rhs.0;
    }
}
impl ::core::ops::BitAnd<VMStateFlags> for VMStateFlags {
    type Output = Self;
    #[inline]
    fn bitand(self, other: Self) -> Self {
        VMStateFlags(self.0 & other.0)
    }
}
impl ::core::ops::BitAndAssign for VMStateFlags {
    #[inline]
    fn bitand_assign(&mut self, rhs: VMStateFlags) {
        self.0 &= rhs.0;
    }
}
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct VMStateFlags(pub ::core::ffi::c_uint);
pub const MigrationPriority_MIG_PRI_UNINITIALIZED: MigrationPriority = MigrationPriority(
    0,
);
pub const MigrationPriority_MIG_PRI_LOW: MigrationPriority = MigrationPriority(1);
pub const MigrationPriority_MIG_PRI_DEFAULT: MigrationPriority = MigrationPriority(2);
pub const MigrationPriority_MIG_PRI_IOMMU: MigrationPriority = MigrationPriority(3);
pub const MigrationPriority_MIG_PRI_PCI_BUS: MigrationPriority = MigrationPriority(4);
pub const MigrationPriority_MIG_PRI_VIRTIO_MEM: MigrationPriority = MigrationPriority(5);
pub const MigrationPriority_MIG_PRI_APIC: MigrationPriority = MigrationPriority(6);
pub const MigrationPriority_MIG_PRI_GICV3_ITS: MigrationPriority = MigrationPriority(7);
pub const MigrationPriority_MIG_PRI_GICV3: MigrationPriority = MigrationPriority(8);
pub const MigrationPriority_MIG_PRI_MAX: MigrationPriority = MigrationPriority(9);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct MigrationPriority(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Copy, Clone)]
pub struct VMStateField {
    pub name: *const ::core::ffi::c_char,
    pub offset: usize,
    pub size: usize,
    pub size_offset: usize,
    pub start: usize,
    pub num: ::core::ffi::c_int,
    pub num_offset: usize,
    pub info: *const VMStateInfo,
    pub flags: VMStateFlags,
    pub vmsd: *const VMStateDescription,
    pub version_id: ::core::ffi::c_int,
    pub struct_version_id: ::core::ffi::c_int,
    pub field_exists: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            version_id: ::core::ffi::c_int,
        ) -> bool,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of VMStateField"][::core::mem::size_of::<VMStateField>() - 96usize];
    ["Alignment of VMStateField"][::core::mem::align_of::<VMStateField>() - 8usize];
    [
        "Offset of field: VMStateField::name",
    ][::core::mem::offset_of!(VMStateField, name) - 0usize];
    [
        "Offset of field: VMStateField::offset",
    ][::core::mem::offset_of!(VMStateField, offset) - 8usize];
    [
        "Offset of field: VMStateField::size",
    ][::core::mem::offset_of!(VMStateField, size) - 16usize];
    [
        "Offset of field: VMStateField::size_offset",
    ][::core::mem::offset_of!(VMStateField, size_offset) - 24usize];
    [
        "Offset of field: VMStateField::start",
    ][::core::mem::offset_of!(VMStateField, start) - 32usize];
    [
        "Offset of field: VMStateField::num",
    ][::core::mem::offset_of!(VMStateField, num) - 40usize];
    [
        "Offset of field: VMStateField::num_offset",
    ][::core::mem::offset_of!(VMStateField, num_offset) - 48usize];
    [
        "Offset of field: VMStateField::info",
    ][::core::mem::offset_of!(VMStateField, info) - 56usize];
    [
        "Offset of field: VMStateField::flags",
    ][::core::mem::offset_of!(VMStateField, flags) - 64usize];
    [
        "Offset of field: VMStateField::vmsd",
    ][::core::mem::offset_of!(VMStateField, vmsd) - 72usize];
    [
        "Offset of field: VMStateField::version_id",
    ][::core::mem::offset_of!(VMStateField, version_id) - 80usize];
    [
        "Offset of field: VMStateField::struct_version_id",
    ][::core::mem::offset_of!(VMStateField, struct_version_id) - 84usize];
    [
        "Offset of field: VMStateField::field_exists",
    ][::core::mem::offset_of!(VMStateField, field_exists) - 88usize];
};
impl Default for VMStateField {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct VMStateDescription {
    pub name: *const ::core::ffi::c_char,
    pub unmigratable: bool,
    pub early_setup: bool,
    pub version_id: ::core::ffi::c_int,
    pub minimum_version_id: ::core::ffi::c_int,
    pub priority: MigrationPriority,
    pub pre_load: ::core::option::Option<
        unsafe extern "C" fn(opaque: *mut ::core::ffi::c_void) -> ::core::ffi::c_int,
    >,
    pub pre_load_errp: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            errp: *mut *mut Error,
        ) -> bool,
    >,
    pub post_load: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            version_id: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub post_load_errp: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            version_id: ::core::ffi::c_int,
            errp: *mut *mut Error,
        ) -> bool,
    >,
    pub pre_save: ::core::option::Option<
        unsafe extern "C" fn(opaque: *mut ::core::ffi::c_void) -> ::core::ffi::c_int,
    >,
    pub pre_save_errp: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            errp: *mut *mut Error,
        ) -> bool,
    >,
    pub post_save: ::core::option::Option<
        unsafe extern "C" fn(opaque: *mut ::core::ffi::c_void),
    >,
    pub needed: ::core::option::Option<
        unsafe extern "C" fn(opaque: *mut ::core::ffi::c_void) -> bool,
    >,
    pub dev_unplug_pending: ::core::option::Option<
        unsafe extern "C" fn(opaque: *mut ::core::ffi::c_void) -> bool,
    >,
    pub fields: *const VMStateField,
    pub subsections: *const *const VMStateDescription,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of VMStateDescription",
    ][::core::mem::size_of::<VMStateDescription>() - 112usize];
    [
        "Alignment of VMStateDescription",
    ][::core::mem::align_of::<VMStateDescription>() - 8usize];
    [
        "Offset of field: VMStateDescription::name",
    ][::core::mem::offset_of!(VMStateDescription, name) - 0usize];
    [
        "Offset of field: VMStateDescription::unmigratable",
    ][::core::mem::offset_of!(VMStateDescription, unmigratable) - 8usize];
    [
        "Offset of field: VMStateDescription::early_setup",
    ][::core::mem::offset_of!(VMStateDescription, early_setup) - 9usize];
    [
        "Offset of field: VMStateDescription::version_id",
    ][::core::mem::offset_of!(VMStateDescription, version_id) - 12usize];
    [
        "Offset of field: VMStateDescription::minimum_version_id",
    ][::core::mem::offset_of!(VMStateDescription, minimum_version_id) - 16usize];
    [
        "Offset of field: VMStateDescription::priority",
    ][::core::mem::offset_of!(VMStateDescription, priority) - 20usize];
    [
        "Offset of field: VMStateDescription::pre_load",
    ][::core::mem::offset_of!(VMStateDescription, pre_load) - 24usize];
    [
        "Offset of field: VMStateDescription::pre_load_errp",
    ][::core::mem::offset_of!(VMStateDescription, pre_load_errp) - 32usize];
    [
        "Offset of field: VMStateDescription::post_load",
    ][::core::mem::offset_of!(VMStateDescription, post_load) - 40usize];
    [
        "Offset of field: VMStateDescription::post_load_errp",
    ][::core::mem::offset_of!(VMStateDescription, post_load_errp) - 48usize];
    [
        "Offset of field: VMStateDescription::pre_save",
    ][::core::mem::offset_of!(VMStateDescription, pre_save) - 56usize];
    [
        "Offset of field: VMStateDescription::pre_save_errp",
    ][::core::mem::offset_of!(VMStateDescription, pre_save_errp) - 64usize];
    [
        "Offset of field: VMStateDescription::post_save",
    ][::core::mem::offset_of!(VMStateDescription, post_save) - 72usize];
    [
        "Offset of field: VMStateDescription::needed",
    ][::core::mem::offset_of!(VMStateDescription, needed) - 80usize];
    [
        "Offset of field: VMStateDescription::dev_unplug_pending",
    ][::core::mem::offset_of!(VMStateDescription, dev_unplug_pending) - 88usize];
    [
        "Offset of field: VMStateDescription::fields",
    ][::core::mem::offset_of!(VMStateDescription, fields) - 96usize];
    [
        "Offset of field: VMStateDescription::subsections",
    ][::core::mem::offset_of!(VMStateDescription, subsections) - 104usize];
};
impl Default for VMStateDescription {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub static vmstate_info_bool: VMStateInfo;
}
unsafe extern "C" {
    pub static vmstate_info_uint8: VMStateInfo;
}
unsafe extern "C" {
    pub static vmstate_info_uint16: VMStateInfo;
}
unsafe extern "C" {
    pub static vmstate_info_uint32: VMStateInfo;
}
unsafe extern "C" {
    pub static vmstate_info_uint64: VMStateInfo;
}
unsafe extern "C" {
    pub static vmstate_info_buffer: VMStateInfo;
}
unsafe extern "C" {
    pub fn vmstate_register_with_alias_id(
        obj: *mut VMStateIf,
        instance_id: u32,
        vmsd: *const VMStateDescription,
        base: *mut ::core::ffi::c_void,
        alias_id: ::core::ffi::c_int,
        required_for_version: ::core::ffi::c_int,
        errp: *mut *mut Error,
    ) -> ::core::ffi::c_int;
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IRQState {
    pub parent_obj: Object,
    pub handler: qemu_irq_handler,
    pub opaque: *mut ::core::ffi::c_void,
    pub n: ::core::ffi::c_int,
    pub observer: qemu_irq_handler,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IRQState"][::core::mem::size_of::<IRQState>() - 72usize];
    ["Alignment of IRQState"][::core::mem::align_of::<IRQState>() - 8usize];
    [
        "Offset of field: IRQState::parent_obj",
    ][::core::mem::offset_of!(IRQState, parent_obj) - 0usize];
    [
        "Offset of field: IRQState::handler",
    ][::core::mem::offset_of!(IRQState, handler) - 40usize];
    [
        "Offset of field: IRQState::opaque",
    ][::core::mem::offset_of!(IRQState, opaque) - 48usize];
    ["Offset of field: IRQState::n"][::core::mem::offset_of!(IRQState, n) - 56usize];
    [
        "Offset of field: IRQState::observer",
    ][::core::mem::offset_of!(IRQState, observer) - 64usize];
};
impl Default for IRQState {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn qemu_set_irq(irq: qemu_irq, level: ::core::ffi::c_int);
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct MemReentrancyGuard {
    pub engaged_in_io: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of MemReentrancyGuard",
    ][::core::mem::size_of::<MemReentrancyGuard>() - 1usize];
    [
        "Alignment of MemReentrancyGuard",
    ][::core::mem::align_of::<MemReentrancyGuard>() - 1usize];
    [
        "Offset of field: MemReentrancyGuard::engaged_in_io",
    ][::core::mem::offset_of!(MemReentrancyGuard, engaged_in_io) - 0usize];
};
#[repr(C)]
#[derive(Debug)]
pub struct HotplugHandler {
    _unused: [u8; 0],
}
pub const ResetType_RESET_TYPE_COLD: ResetType = ResetType(0);
pub const ResetType_RESET_TYPE_SNAPSHOT_LOAD: ResetType = ResetType(1);
pub const ResetType_RESET_TYPE_WAKEUP: ResetType = ResetType(2);
pub const ResetType_RESET_TYPE_S390_CPU_INITIAL: ResetType = ResetType(3);
pub const ResetType_RESET_TYPE_S390_CPU_NORMAL: ResetType = ResetType(4);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct ResetType(pub ::core::ffi::c_uint);
pub type ResettableEnterPhase = ::core::option::Option<
    unsafe extern "C" fn(obj: *mut Object, type_: ResetType),
>;
pub type ResettableHoldPhase = ::core::option::Option<
    unsafe extern "C" fn(obj: *mut Object, type_: ResetType),
>;
pub type ResettableExitPhase = ::core::option::Option<
    unsafe extern "C" fn(obj: *mut Object, type_: ResetType),
>;
pub type ResettableGetState = ::core::option::Option<
    unsafe extern "C" fn(obj: *mut Object) -> *mut ResettableState,
>;
pub type ResettableChildCallback = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut Object,
        opaque: *mut ::core::ffi::c_void,
        type_: ResetType,
    ),
>;
pub type ResettableChildForeach = ::core::option::Option<
    unsafe extern "C" fn(
        obj: *mut Object,
        cb: ResettableChildCallback,
        opaque: *mut ::core::ffi::c_void,
        type_: ResetType,
    ),
>;
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct ResettablePhases {
    pub enter: ResettableEnterPhase,
    pub hold: ResettableHoldPhase,
    pub exit: ResettableExitPhase,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ResettablePhases"][::core::mem::size_of::<ResettablePhases>() - 24usize];
    [
        "Alignment of ResettablePhases",
    ][::core::mem::align_of::<ResettablePhases>() - 8usize];
    [
        "Offset of field: ResettablePhases::enter",
    ][::core::mem::offset_of!(ResettablePhases, enter) - 0usize];
    [
        "Offset of field: ResettablePhases::hold",
    ][::core::mem::offset_of!(ResettablePhases, hold) - 8usize];
    [
        "Offset of field: ResettablePhases::exit",
    ][::core::mem::offset_of!(ResettablePhases, exit) - 16usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct ResettableClass {
    pub parent_class: InterfaceClass,
    pub phases: ResettablePhases,
    pub get_state: ResettableGetState,
    pub child_foreach: ResettableChildForeach,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ResettableClass"][::core::mem::size_of::<ResettableClass>() - 144usize];
    [
        "Alignment of ResettableClass",
    ][::core::mem::align_of::<ResettableClass>() - 8usize];
    [
        "Offset of field: ResettableClass::parent_class",
    ][::core::mem::offset_of!(ResettableClass, parent_class) - 0usize];
    [
        "Offset of field: ResettableClass::phases",
    ][::core::mem::offset_of!(ResettableClass, phases) - 104usize];
    [
        "Offset of field: ResettableClass::get_state",
    ][::core::mem::offset_of!(ResettableClass, get_state) - 128usize];
    [
        "Offset of field: ResettableClass::child_foreach",
    ][::core::mem::offset_of!(ResettableClass, child_foreach) - 136usize];
};
impl Default for ResettableClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct ResettableState {
    pub count: ::core::ffi::c_uint,
    pub hold_phase_pending: bool,
    pub exit_phase_in_progress: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ResettableState"][::core::mem::size_of::<ResettableState>() - 8usize];
    [
        "Alignment of ResettableState",
    ][::core::mem::align_of::<ResettableState>() - 4usize];
    [
        "Offset of field: ResettableState::count",
    ][::core::mem::offset_of!(ResettableState, count) - 0usize];
    [
        "Offset of field: ResettableState::hold_phase_pending",
    ][::core::mem::offset_of!(ResettableState, hold_phase_pending) - 4usize];
    [
        "Offset of field: ResettableState::exit_phase_in_progress",
    ][::core::mem::offset_of!(ResettableState, exit_phase_in_progress) - 5usize];
};
unsafe extern "C" {
    pub fn resettable_reset(obj: *mut Object, type_: ResetType);
}
unsafe extern "C" {
    pub fn resettable_class_set_parent_phases(
        rc: *mut ResettableClass,
        enter: ResettableEnterPhase,
        hold: ResettableHoldPhase,
        exit: ResettableExitPhase,
        parent_phases: *mut ResettablePhases,
    );
}
pub const DeviceCategory_DEVICE_CATEGORY_BRIDGE: DeviceCategory = DeviceCategory(0);
pub const DeviceCategory_DEVICE_CATEGORY_USB: DeviceCategory = DeviceCategory(1);
pub const DeviceCategory_DEVICE_CATEGORY_STORAGE: DeviceCategory = DeviceCategory(2);
pub const DeviceCategory_DEVICE_CATEGORY_NETWORK: DeviceCategory = DeviceCategory(3);
pub const DeviceCategory_DEVICE_CATEGORY_INPUT: DeviceCategory = DeviceCategory(4);
pub const DeviceCategory_DEVICE_CATEGORY_DISPLAY: DeviceCategory = DeviceCategory(5);
pub const DeviceCategory_DEVICE_CATEGORY_SOUND: DeviceCategory = DeviceCategory(6);
pub const DeviceCategory_DEVICE_CATEGORY_MISC: DeviceCategory = DeviceCategory(7);
pub const DeviceCategory_DEVICE_CATEGORY_CPU: DeviceCategory = DeviceCategory(8);
pub const DeviceCategory_DEVICE_CATEGORY_WATCHDOG: DeviceCategory = DeviceCategory(9);
pub const DeviceCategory_DEVICE_CATEGORY_MAX: DeviceCategory = DeviceCategory(10);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct DeviceCategory(pub ::core::ffi::c_uint);
pub type DeviceRealize = ::core::option::Option<
    unsafe extern "C" fn(dev: *mut DeviceState, errp: *mut *mut Error),
>;
pub type DeviceUnrealize = ::core::option::Option<
    unsafe extern "C" fn(dev: *mut DeviceState),
>;
pub type DeviceReset = ::core::option::Option<
    unsafe extern "C" fn(dev: *mut DeviceState),
>;
pub type DeviceSyncConfig = ::core::option::Option<
    unsafe extern "C" fn(
        dev: *mut DeviceState,
        errp: *mut *mut Error,
    ) -> ::core::ffi::c_int,
>;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct DeviceClass {
    pub parent_class: ObjectClass,
    pub categories: [::core::ffi::c_ulong; 1usize],
    pub fw_name: *const ::core::ffi::c_char,
    pub desc: *const ::core::ffi::c_char,
    pub props_: *const Property,
    pub props_count_: u16,
    pub user_creatable: bool,
    pub hotpluggable: bool,
    pub legacy_reset: DeviceReset,
    pub realize: DeviceRealize,
    pub unrealize: DeviceUnrealize,
    pub sync_config: DeviceSyncConfig,
    pub vmsd: *const VMStateDescription,
    pub bus_type: *const ::core::ffi::c_char,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of DeviceClass"][::core::mem::size_of::<DeviceClass>() - 184usize];
    ["Alignment of DeviceClass"][::core::mem::align_of::<DeviceClass>() - 8usize];
    [
        "Offset of field: DeviceClass::parent_class",
    ][::core::mem::offset_of!(DeviceClass, parent_class) - 0usize];
    [
        "Offset of field: DeviceClass::categories",
    ][::core::mem::offset_of!(DeviceClass, categories) - 96usize];
    [
        "Offset of field: DeviceClass::fw_name",
    ][::core::mem::offset_of!(DeviceClass, fw_name) - 104usize];
    [
        "Offset of field: DeviceClass::desc",
    ][::core::mem::offset_of!(DeviceClass, desc) - 112usize];
    [
        "Offset of field: DeviceClass::props_",
    ][::core::mem::offset_of!(DeviceClass, props_) - 120usize];
    [
        "Offset of field: DeviceClass::props_count_",
    ][::core::mem::offset_of!(DeviceClass, props_count_) - 128usize];
    [
        "Offset of field: DeviceClass::user_creatable",
    ][::core::mem::offset_of!(DeviceClass, user_creatable) - 130usize];
    [
        "Offset of field: DeviceClass::hotpluggable",
    ][::core::mem::offset_of!(DeviceClass, hotpluggable) - 131usize];
    [
        "Offset of field: DeviceClass::legacy_reset",
    ][::core::mem::offset_of!(DeviceClass, legacy_reset) - 136usize];
    [
        "Offset of field: DeviceClass::realize",
    ][::core::mem::offset_of!(DeviceClass, realize) - 144usize];
    [
        "Offset of field: DeviceClass::unrealize",
    ][::core::mem::offset_of!(DeviceClass, unrealize) - 152usize];
    [
        "Offset of field: DeviceClass::sync_config",
    ][::core::mem::offset_of!(DeviceClass, sync_config) - 160usize];
    [
        "Offset of field: DeviceClass::vmsd",
    ][::core::mem::offset_of!(DeviceClass, vmsd) - 168usize];
    [
        "Offset of field: DeviceClass::bus_type",
    ][::core::mem::offset_of!(DeviceClass, bus_type) - 176usize];
};
impl Default for DeviceClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct NamedGPIOList {
    pub name: *mut ::core::ffi::c_char,
    pub in_: *mut qemu_irq,
    pub num_in: ::core::ffi::c_int,
    pub num_out: ::core::ffi::c_int,
    pub node: NamedGPIOList__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct NamedGPIOList__bindgen_ty_1 {
    pub le_next: *mut NamedGPIOList,
    pub le_prev: *mut *mut NamedGPIOList,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of NamedGPIOList__bindgen_ty_1",
    ][::core::mem::size_of::<NamedGPIOList__bindgen_ty_1>() - 16usize];
    [
        "Alignment of NamedGPIOList__bindgen_ty_1",
    ][::core::mem::align_of::<NamedGPIOList__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: NamedGPIOList__bindgen_ty_1::le_next",
    ][::core::mem::offset_of!(NamedGPIOList__bindgen_ty_1, le_next) - 0usize];
    [
        "Offset of field: NamedGPIOList__bindgen_ty_1::le_prev",
    ][::core::mem::offset_of!(NamedGPIOList__bindgen_ty_1, le_prev) - 8usize];
};
impl Default for NamedGPIOList__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of NamedGPIOList"][::core::mem::size_of::<NamedGPIOList>() - 40usize];
    ["Alignment of NamedGPIOList"][::core::mem::align_of::<NamedGPIOList>() - 8usize];
    [
        "Offset of field: NamedGPIOList::name",
    ][::core::mem::offset_of!(NamedGPIOList, name) - 0usize];
    [
        "Offset of field: NamedGPIOList::in_",
    ][::core::mem::offset_of!(NamedGPIOList, in_) - 8usize];
    [
        "Offset of field: NamedGPIOList::num_in",
    ][::core::mem::offset_of!(NamedGPIOList, num_in) - 16usize];
    [
        "Offset of field: NamedGPIOList::num_out",
    ][::core::mem::offset_of!(NamedGPIOList, num_out) - 20usize];
    [
        "Offset of field: NamedGPIOList::node",
    ][::core::mem::offset_of!(NamedGPIOList, node) - 24usize];
};
impl Default for NamedGPIOList {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct NamedClockList {
    pub name: *mut ::core::ffi::c_char,
    pub clock: *mut Clock,
    pub output: bool,
    pub alias: bool,
    pub node: NamedClockList__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct NamedClockList__bindgen_ty_1 {
    pub le_next: *mut NamedClockList,
    pub le_prev: *mut *mut NamedClockList,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of NamedClockList__bindgen_ty_1",
    ][::core::mem::size_of::<NamedClockList__bindgen_ty_1>() - 16usize];
    [
        "Alignment of NamedClockList__bindgen_ty_1",
    ][::core::mem::align_of::<NamedClockList__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: NamedClockList__bindgen_ty_1::le_next",
    ][::core::mem::offset_of!(NamedClockList__bindgen_ty_1, le_next) - 0usize];
    [
        "Offset of field: NamedClockList__bindgen_ty_1::le_prev",
    ][::core::mem::offset_of!(NamedClockList__bindgen_ty_1, le_prev) - 8usize];
};
impl Default for NamedClockList__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of NamedClockList"][::core::mem::size_of::<NamedClockList>() - 40usize];
    ["Alignment of NamedClockList"][::core::mem::align_of::<NamedClockList>() - 8usize];
    [
        "Offset of field: NamedClockList::name",
    ][::core::mem::offset_of!(NamedClockList, name) - 0usize];
    [
        "Offset of field: NamedClockList::clock",
    ][::core::mem::offset_of!(NamedClockList, clock) - 8usize];
    [
        "Offset of field: NamedClockList::output",
    ][::core::mem::offset_of!(NamedClockList, output) - 16usize];
    [
        "Offset of field: NamedClockList::alias",
    ][::core::mem::offset_of!(NamedClockList, alias) - 17usize];
    [
        "Offset of field: NamedClockList::node",
    ][::core::mem::offset_of!(NamedClockList, node) - 24usize];
};
impl Default for NamedClockList {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct NamedGPIOListHead {
    pub lh_first: *mut NamedGPIOList,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of NamedGPIOListHead"][::core::mem::size_of::<NamedGPIOListHead>() - 8usize];
    [
        "Alignment of NamedGPIOListHead",
    ][::core::mem::align_of::<NamedGPIOListHead>() - 8usize];
    [
        "Offset of field: NamedGPIOListHead::lh_first",
    ][::core::mem::offset_of!(NamedGPIOListHead, lh_first) - 0usize];
};
impl Default for NamedGPIOListHead {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct NamedClockListHead {
    pub lh_first: *mut NamedClockList,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of NamedClockListHead",
    ][::core::mem::size_of::<NamedClockListHead>() - 8usize];
    [
        "Alignment of NamedClockListHead",
    ][::core::mem::align_of::<NamedClockListHead>() - 8usize];
    [
        "Offset of field: NamedClockListHead::lh_first",
    ][::core::mem::offset_of!(NamedClockListHead, lh_first) - 0usize];
};
impl Default for NamedClockListHead {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct BusStateHead {
    pub lh_first: *mut BusState,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of BusStateHead"][::core::mem::size_of::<BusStateHead>() - 8usize];
    ["Alignment of BusStateHead"][::core::mem::align_of::<BusStateHead>() - 8usize];
    [
        "Offset of field: BusStateHead::lh_first",
    ][::core::mem::offset_of!(BusStateHead, lh_first) - 0usize];
};
impl Default for BusStateHead {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct DeviceState {
    pub parent_obj: Object,
    pub id: *mut ::core::ffi::c_char,
    pub canonical_path: *mut ::core::ffi::c_char,
    pub realized: bool,
    pub pending_deleted_event: bool,
    pub pending_deleted_expires_ms: i64,
    pub hotplugged: ::core::ffi::c_int,
    pub allow_unplug_during_migration: bool,
    pub parent_bus: *mut BusState,
    pub gpios: NamedGPIOListHead,
    pub clocks: NamedClockListHead,
    pub child_bus: BusStateHead,
    pub num_child_bus: ::core::ffi::c_int,
    pub instance_id_alias: ::core::ffi::c_int,
    pub alias_required_for_version: ::core::ffi::c_int,
    pub reset: ResettableState,
    pub unplug_blockers: *mut GSList,
    pub mem_reentrancy_guard: MemReentrancyGuard,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of DeviceState"][::core::mem::size_of::<DeviceState>() - 152usize];
    ["Alignment of DeviceState"][::core::mem::align_of::<DeviceState>() - 8usize];
    [
        "Offset of field: DeviceState::parent_obj",
    ][::core::mem::offset_of!(DeviceState, parent_obj) - 0usize];
    [
        "Offset of field: DeviceState::id",
    ][::core::mem::offset_of!(DeviceState, id) - 40usize];
    [
        "Offset of field: DeviceState::canonical_path",
    ][::core::mem::offset_of!(DeviceState, canonical_path) - 48usize];
    [
        "Offset of field: DeviceState::realized",
    ][::core::mem::offset_of!(DeviceState, realized) - 56usize];
    [
        "Offset of field: DeviceState::pending_deleted_event",
    ][::core::mem::offset_of!(DeviceState, pending_deleted_event) - 57usize];
    [
        "Offset of field: DeviceState::pending_deleted_expires_ms",
    ][::core::mem::offset_of!(DeviceState, pending_deleted_expires_ms) - 64usize];
    [
        "Offset of field: DeviceState::hotplugged",
    ][::core::mem::offset_of!(DeviceState, hotplugged) - 72usize];
    [
        "Offset of field: DeviceState::allow_unplug_during_migration",
    ][::core::mem::offset_of!(DeviceState, allow_unplug_during_migration) - 76usize];
    [
        "Offset of field: DeviceState::parent_bus",
    ][::core::mem::offset_of!(DeviceState, parent_bus) - 80usize];
    [
        "Offset of field: DeviceState::gpios",
    ][::core::mem::offset_of!(DeviceState, gpios) - 88usize];
    [
        "Offset of field: DeviceState::clocks",
    ][::core::mem::offset_of!(DeviceState, clocks) - 96usize];
    [
        "Offset of field: DeviceState::child_bus",
    ][::core::mem::offset_of!(DeviceState, child_bus) - 104usize];
    [
        "Offset of field: DeviceState::num_child_bus",
    ][::core::mem::offset_of!(DeviceState, num_child_bus) - 112usize];
    [
        "Offset of field: DeviceState::instance_id_alias",
    ][::core::mem::offset_of!(DeviceState, instance_id_alias) - 116usize];
    [
        "Offset of field: DeviceState::alias_required_for_version",
    ][::core::mem::offset_of!(DeviceState, alias_required_for_version) - 120usize];
    [
        "Offset of field: DeviceState::reset",
    ][::core::mem::offset_of!(DeviceState, reset) - 124usize];
    [
        "Offset of field: DeviceState::unplug_blockers",
    ][::core::mem::offset_of!(DeviceState, unplug_blockers) - 136usize];
    [
        "Offset of field: DeviceState::mem_reentrancy_guard",
    ][::core::mem::offset_of!(DeviceState, mem_reentrancy_guard) - 144usize];
};
impl Default for DeviceState {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct BusChild {
    pub rcu: rcu_head,
    pub child: *mut DeviceState,
    pub index: ::core::ffi::c_int,
    pub sibling: BusChild__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union BusChild__bindgen_ty_1 {
    pub tqe_next: *mut BusChild,
    pub tqe_circ: QTailQLink,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of BusChild__bindgen_ty_1",
    ][::core::mem::size_of::<BusChild__bindgen_ty_1>() - 16usize];
    [
        "Alignment of BusChild__bindgen_ty_1",
    ][::core::mem::align_of::<BusChild__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: BusChild__bindgen_ty_1::tqe_next",
    ][::core::mem::offset_of!(BusChild__bindgen_ty_1, tqe_next) - 0usize];
    [
        "Offset of field: BusChild__bindgen_ty_1::tqe_circ",
    ][::core::mem::offset_of!(BusChild__bindgen_ty_1, tqe_circ) - 0usize];
};
impl Default for BusChild__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of BusChild"][::core::mem::size_of::<BusChild>() - 48usize];
    ["Alignment of BusChild"][::core::mem::align_of::<BusChild>() - 8usize];
    ["Offset of field: BusChild::rcu"][::core::mem::offset_of!(BusChild, rcu) - 0usize];
    [
        "Offset of field: BusChild::child",
    ][::core::mem::offset_of!(BusChild, child) - 16usize];
    [
        "Offset of field: BusChild::index",
    ][::core::mem::offset_of!(BusChild, index) - 24usize];
    [
        "Offset of field: BusChild::sibling",
    ][::core::mem::offset_of!(BusChild, sibling) - 32usize];
};
impl Default for BusChild {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union BusChildHead {
    pub tqh_first: *mut BusChild,
    pub tqh_circ: QTailQLink,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of BusChildHead"][::core::mem::size_of::<BusChildHead>() - 16usize];
    ["Alignment of BusChildHead"][::core::mem::align_of::<BusChildHead>() - 8usize];
    [
        "Offset of field: BusChildHead::tqh_first",
    ][::core::mem::offset_of!(BusChildHead, tqh_first) - 0usize];
    [
        "Offset of field: BusChildHead::tqh_circ",
    ][::core::mem::offset_of!(BusChildHead, tqh_circ) - 0usize];
};
impl Default for BusChildHead {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct BusStateEntry {
    pub le_next: *mut BusState,
    pub le_prev: *mut *mut BusState,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of BusStateEntry"][::core::mem::size_of::<BusStateEntry>() - 16usize];
    ["Alignment of BusStateEntry"][::core::mem::align_of::<BusStateEntry>() - 8usize];
    [
        "Offset of field: BusStateEntry::le_next",
    ][::core::mem::offset_of!(BusStateEntry, le_next) - 0usize];
    [
        "Offset of field: BusStateEntry::le_prev",
    ][::core::mem::offset_of!(BusStateEntry, le_prev) - 8usize];
};
impl Default for BusStateEntry {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct BusState {
    pub obj: Object,
    pub parent: *mut DeviceState,
    pub name: *mut ::core::ffi::c_char,
    pub hotplug_handler: *mut HotplugHandler,
    pub max_index: ::core::ffi::c_int,
    pub realized: bool,
    pub full: bool,
    pub num_children: ::core::ffi::c_int,
    pub children: BusChildHead,
    pub sibling: BusStateEntry,
    pub reset: ResettableState,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of BusState"][::core::mem::size_of::<BusState>() - 120usize];
    ["Alignment of BusState"][::core::mem::align_of::<BusState>() - 8usize];
    ["Offset of field: BusState::obj"][::core::mem::offset_of!(BusState, obj) - 0usize];
    [
        "Offset of field: BusState::parent",
    ][::core::mem::offset_of!(BusState, parent) - 40usize];
    [
        "Offset of field: BusState::name",
    ][::core::mem::offset_of!(BusState, name) - 48usize];
    [
        "Offset of field: BusState::hotplug_handler",
    ][::core::mem::offset_of!(BusState, hotplug_handler) - 56usize];
    [
        "Offset of field: BusState::max_index",
    ][::core::mem::offset_of!(BusState, max_index) - 64usize];
    [
        "Offset of field: BusState::realized",
    ][::core::mem::offset_of!(BusState, realized) - 68usize];
    [
        "Offset of field: BusState::full",
    ][::core::mem::offset_of!(BusState, full) - 69usize];
    [
        "Offset of field: BusState::num_children",
    ][::core::mem::offset_of!(BusState, num_children) - 72usize];
    [
        "Offset of field: BusState::children",
    ][::core::mem::offset_of!(BusState, children) - 80usize];
    [
        "Offset of field: BusState::sibling",
    ][::core::mem::offset_of!(BusState, sibling) - 96usize];
    [
        "Offset of field: BusState::reset",
    ][::core::mem::offset_of!(BusState, reset) - 112usize];
};
impl Default for BusState {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn qdev_replace_type(
        from: *const ::core::ffi::c_char,
        to: *const ::core::ffi::c_char,
    );
}
unsafe extern "C" {
    pub fn qdev_get_gpio_in(dev: *mut DeviceState, n: ::core::ffi::c_int) -> qemu_irq;
}
unsafe extern "C" {
    pub fn qdev_init_gpio_in(
        dev: *mut DeviceState,
        handler: qemu_irq_handler,
        n: ::core::ffi::c_int,
    );
}
unsafe extern "C" {
    pub fn qdev_init_gpio_out(
        dev: *mut DeviceState,
        pins: *mut qemu_irq,
        n: ::core::ffi::c_int,
    );
}
unsafe extern "C" {
    pub fn device_class_set_props_n(
        dc: *mut DeviceClass,
        props: *const Property,
        n: usize,
    );
}
unsafe extern "C" {
    pub fn device_class_set_legacy_reset(dc: *mut DeviceClass, dev_reset: DeviceReset);
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct Property {
    pub name: *const ::core::ffi::c_char,
    pub info: *const PropertyInfo,
    pub offset: isize,
    pub link_type: *const ::core::ffi::c_char,
    pub bitmask: u64,
    pub defval: Property__bindgen_ty_1,
    pub arrayinfo: *const PropertyInfo,
    pub arrayoffset: ::core::ffi::c_int,
    pub arrayfieldsize: ::core::ffi::c_int,
    pub bitnr: u8,
    pub set_default: bool,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union Property__bindgen_ty_1 {
    pub i: i64,
    pub u: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of Property__bindgen_ty_1",
    ][::core::mem::size_of::<Property__bindgen_ty_1>() - 8usize];
    [
        "Alignment of Property__bindgen_ty_1",
    ][::core::mem::align_of::<Property__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: Property__bindgen_ty_1::i",
    ][::core::mem::offset_of!(Property__bindgen_ty_1, i) - 0usize];
    [
        "Offset of field: Property__bindgen_ty_1::u",
    ][::core::mem::offset_of!(Property__bindgen_ty_1, u) - 0usize];
};
impl Default for Property__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of Property"][::core::mem::size_of::<Property>() - 72usize];
    ["Alignment of Property"][::core::mem::align_of::<Property>() - 8usize];
    [
        "Offset of field: Property::name",
    ][::core::mem::offset_of!(Property, name) - 0usize];
    [
        "Offset of field: Property::info",
    ][::core::mem::offset_of!(Property, info) - 8usize];
    [
        "Offset of field: Property::offset",
    ][::core::mem::offset_of!(Property, offset) - 16usize];
    [
        "Offset of field: Property::link_type",
    ][::core::mem::offset_of!(Property, link_type) - 24usize];
    [
        "Offset of field: Property::bitmask",
    ][::core::mem::offset_of!(Property, bitmask) - 32usize];
    [
        "Offset of field: Property::defval",
    ][::core::mem::offset_of!(Property, defval) - 40usize];
    [
        "Offset of field: Property::arrayinfo",
    ][::core::mem::offset_of!(Property, arrayinfo) - 48usize];
    [
        "Offset of field: Property::arrayoffset",
    ][::core::mem::offset_of!(Property, arrayoffset) - 56usize];
    [
        "Offset of field: Property::arrayfieldsize",
    ][::core::mem::offset_of!(Property, arrayfieldsize) - 60usize];
    [
        "Offset of field: Property::bitnr",
    ][::core::mem::offset_of!(Property, bitnr) - 64usize];
    [
        "Offset of field: Property::set_default",
    ][::core::mem::offset_of!(Property, set_default) - 65usize];
};
impl Default for Property {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PropertyInfo {
    pub type_: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub enum_table: *const QEnumLookup,
    pub realized_set_allowed: bool,
    pub print: ::core::option::Option<
        unsafe extern "C" fn(
            obj: *mut Object,
            prop: *const Property,
        ) -> *mut ::core::ffi::c_char,
    >,
    pub set_default_value: ::core::option::Option<
        unsafe extern "C" fn(op: *mut ObjectProperty, prop: *const Property),
    >,
    pub create: ::core::option::Option<
        unsafe extern "C" fn(
            oc: *mut ObjectClass,
            name: *const ::core::ffi::c_char,
            prop: *const Property,
        ) -> *mut ObjectProperty,
    >,
    pub get: ObjectPropertyAccessor,
    pub set: ObjectPropertyAccessor,
    pub release: ObjectPropertyRelease,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PropertyInfo"][::core::mem::size_of::<PropertyInfo>() - 80usize];
    ["Alignment of PropertyInfo"][::core::mem::align_of::<PropertyInfo>() - 8usize];
    [
        "Offset of field: PropertyInfo::type_",
    ][::core::mem::offset_of!(PropertyInfo, type_) - 0usize];
    [
        "Offset of field: PropertyInfo::description",
    ][::core::mem::offset_of!(PropertyInfo, description) - 8usize];
    [
        "Offset of field: PropertyInfo::enum_table",
    ][::core::mem::offset_of!(PropertyInfo, enum_table) - 16usize];
    [
        "Offset of field: PropertyInfo::realized_set_allowed",
    ][::core::mem::offset_of!(PropertyInfo, realized_set_allowed) - 24usize];
    [
        "Offset of field: PropertyInfo::print",
    ][::core::mem::offset_of!(PropertyInfo, print) - 32usize];
    [
        "Offset of field: PropertyInfo::set_default_value",
    ][::core::mem::offset_of!(PropertyInfo, set_default_value) - 40usize];
    [
        "Offset of field: PropertyInfo::create",
    ][::core::mem::offset_of!(PropertyInfo, create) - 48usize];
    [
        "Offset of field: PropertyInfo::get",
    ][::core::mem::offset_of!(PropertyInfo, get) - 56usize];
    [
        "Offset of field: PropertyInfo::set",
    ][::core::mem::offset_of!(PropertyInfo, set) - 64usize];
    [
        "Offset of field: PropertyInfo::release",
    ][::core::mem::offset_of!(PropertyInfo, release) - 72usize];
};
impl Default for PropertyInfo {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub static qdev_prop_bit: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_bit64: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_bool: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_uint8: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_uint16: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_uint32: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_usize: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_int32: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_uint64: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_int64: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_size: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_string: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_on_off_auto: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_link: PropertyInfo;
}
unsafe extern "C" {
    pub fn qdev_prop_allow_set_link_before_realize(
        obj: *const Object,
        name: *const ::core::ffi::c_char,
        val: *mut Object,
        errp: *mut *mut Error,
    );
}
unsafe extern "C" {
    pub static qdev_prop_ssidsize_mode: PropertyInfo;
}
unsafe extern "C" {
    pub static qdev_prop_oas_mode: PropertyInfo;
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct SysBusDeviceClass {
    pub parent_class: DeviceClass,
    pub explicit_ofw_unit_address: ::core::option::Option<
        unsafe extern "C" fn(dev: *const SysBusDevice) -> *mut ::core::ffi::c_char,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of SysBusDeviceClass",
    ][::core::mem::size_of::<SysBusDeviceClass>() - 192usize];
    [
        "Alignment of SysBusDeviceClass",
    ][::core::mem::align_of::<SysBusDeviceClass>() - 8usize];
    [
        "Offset of field: SysBusDeviceClass::parent_class",
    ][::core::mem::offset_of!(SysBusDeviceClass, parent_class) - 0usize];
    [
        "Offset of field: SysBusDeviceClass::explicit_ofw_unit_address",
    ][::core::mem::offset_of!(SysBusDeviceClass, explicit_ofw_unit_address) - 184usize];
};
impl Default for SysBusDeviceClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct SysBusDevice {
    pub parent_obj: DeviceState,
    pub num_mmio: ::core::ffi::c_int,
    pub mmio: [SysBusDevice__bindgen_ty_1; 32usize],
    pub num_pio: ::core::ffi::c_int,
    pub pio: [u32; 32usize],
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct SysBusDevice__bindgen_ty_1 {
    pub addr: hwaddr,
    pub memory: *mut MemoryRegion,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of SysBusDevice__bindgen_ty_1",
    ][::core::mem::size_of::<SysBusDevice__bindgen_ty_1>() - 16usize];
    [
        "Alignment of SysBusDevice__bindgen_ty_1",
    ][::core::mem::align_of::<SysBusDevice__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: SysBusDevice__bindgen_ty_1::addr",
    ][::core::mem::offset_of!(SysBusDevice__bindgen_ty_1, addr) - 0usize];
    [
        "Offset of field: SysBusDevice__bindgen_ty_1::memory",
    ][::core::mem::offset_of!(SysBusDevice__bindgen_ty_1, memory) - 8usize];
};
impl Default for SysBusDevice__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of SysBusDevice"][::core::mem::size_of::<SysBusDevice>() - 808usize];
    ["Alignment of SysBusDevice"][::core::mem::align_of::<SysBusDevice>() - 8usize];
    [
        "Offset of field: SysBusDevice::parent_obj",
    ][::core::mem::offset_of!(SysBusDevice, parent_obj) - 0usize];
    [
        "Offset of field: SysBusDevice::num_mmio",
    ][::core::mem::offset_of!(SysBusDevice, num_mmio) - 152usize];
    [
        "Offset of field: SysBusDevice::mmio",
    ][::core::mem::offset_of!(SysBusDevice, mmio) - 160usize];
    [
        "Offset of field: SysBusDevice::num_pio",
    ][::core::mem::offset_of!(SysBusDevice, num_pio) - 672usize];
    [
        "Offset of field: SysBusDevice::pio",
    ][::core::mem::offset_of!(SysBusDevice, pio) - 676usize];
};
impl Default for SysBusDevice {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn sysbus_init_mmio(dev: *mut SysBusDevice, memory: *mut MemoryRegion);
}
unsafe extern "C" {
    pub fn sysbus_init_irq(dev: *mut SysBusDevice, p: *mut qemu_irq);
}
pub type dma_addr_t = u64;
pub type pcibus_t = u64;
pub type PCIConfigWriteFunc = ::core::option::Option<
    unsafe extern "C" fn(
        pci_dev: *mut PCIDevice,
        address: u32,
        data: u32,
        len: ::core::ffi::c_int,
    ),
>;
pub type PCIConfigReadFunc = ::core::option::Option<
    unsafe extern "C" fn(
        pci_dev: *mut PCIDevice,
        address: u32,
        len: ::core::ffi::c_int,
    ) -> u32,
>;
pub type PCIUnregisterFunc = ::core::option::Option<
    unsafe extern "C" fn(pci_dev: *mut PCIDevice),
>;
pub type MSITriggerFunc = ::core::option::Option<
    unsafe extern "C" fn(dev: *mut PCIDevice, msg: MSIMessage),
>;
pub type MSIPrepareMessageFunc = ::core::option::Option<
    unsafe extern "C" fn(dev: *mut PCIDevice, vector: ::core::ffi::c_uint) -> MSIMessage,
>;
pub type MSIxPrepareMessageFunc = ::core::option::Option<
    unsafe extern "C" fn(dev: *mut PCIDevice, vector: ::core::ffi::c_uint) -> MSIMessage,
>;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PCIIORegion {
    pub addr: pcibus_t,
    pub size: pcibus_t,
    pub type_: u8,
    pub memory: *mut MemoryRegion,
    pub address_space: *mut MemoryRegion,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIIORegion"][::core::mem::size_of::<PCIIORegion>() - 40usize];
    ["Alignment of PCIIORegion"][::core::mem::align_of::<PCIIORegion>() - 8usize];
    [
        "Offset of field: PCIIORegion::addr",
    ][::core::mem::offset_of!(PCIIORegion, addr) - 0usize];
    [
        "Offset of field: PCIIORegion::size",
    ][::core::mem::offset_of!(PCIIORegion, size) - 8usize];
    [
        "Offset of field: PCIIORegion::type_",
    ][::core::mem::offset_of!(PCIIORegion, type_) - 16usize];
    [
        "Offset of field: PCIIORegion::memory",
    ][::core::mem::offset_of!(PCIIORegion, memory) - 24usize];
    [
        "Offset of field: PCIIORegion::address_space",
    ][::core::mem::offset_of!(PCIIORegion, address_space) - 32usize];
};
impl Default for PCIIORegion {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const QEMU_PCI_VGA_MEM: _bindgen_ty_39 = _bindgen_ty_39(0);
pub const QEMU_PCI_VGA_IO_LO: _bindgen_ty_39 = _bindgen_ty_39(1);
pub const QEMU_PCI_VGA_IO_HI: _bindgen_ty_39 = _bindgen_ty_39(2);
pub const QEMU_PCI_VGA_NUM_REGIONS: _bindgen_ty_39 = _bindgen_ty_39(3);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct _bindgen_ty_39(pub ::core::ffi::c_uint);
pub const QEMU_PCI_CAP_MSI: _bindgen_ty_40 = _bindgen_ty_40(1);
pub const QEMU_PCI_CAP_MSIX: _bindgen_ty_40 = _bindgen_ty_40(2);
pub const QEMU_PCI_CAP_EXPRESS: _bindgen_ty_40 = _bindgen_ty_40(4);
pub const QEMU_PCI_CAP_MULTIFUNCTION: _bindgen_ty_40 = _bindgen_ty_40(8);
pub const QEMU_PCI_CAP_SERR: _bindgen_ty_40 = _bindgen_ty_40(16);
pub const QEMU_PCI_CAP_SHPC: _bindgen_ty_40 = _bindgen_ty_40(32);
pub const QEMU_PCI_CAP_SLOTID: _bindgen_ty_40 = _bindgen_ty_40(64);
pub const QEMU_PCIE_SLTCAP_PCP: _bindgen_ty_40 = _bindgen_ty_40(128);
pub const QEMU_PCIE_LNKSTA_DLLLA: _bindgen_ty_40 = _bindgen_ty_40(256);
pub const QEMU_PCIE_CAP_CXL: _bindgen_ty_40 = _bindgen_ty_40(1024);
pub const QEMU_PCIE_ERR_UNC_MASK: _bindgen_ty_40 = _bindgen_ty_40(2048);
pub const QEMU_PCIE_ARI_NEXTFN_1: _bindgen_ty_40 = _bindgen_ty_40(4096);
pub const QEMU_PCIE_EXT_TAG: _bindgen_ty_40 = _bindgen_ty_40(8192);
pub const QEMU_PCI_CAP_PM: _bindgen_ty_40 = _bindgen_ty_40(16384);
pub const QEMU_PCI_SKIP_RESET_ON_CPR: _bindgen_ty_40 = _bindgen_ty_40(32768);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct _bindgen_ty_40(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PCIINTxRoute {
    pub mode: PCIINTxRoute__bindgen_ty_1,
    pub irq: ::core::ffi::c_int,
}
pub const PCIINTxRoute_PCI_INTX_ENABLED: PCIINTxRoute__bindgen_ty_1 = PCIINTxRoute__bindgen_ty_1(
    0,
);
pub const PCIINTxRoute_PCI_INTX_INVERTED: PCIINTxRoute__bindgen_ty_1 = PCIINTxRoute__bindgen_ty_1(
    1,
);
pub const PCIINTxRoute_PCI_INTX_DISABLED: PCIINTxRoute__bindgen_ty_1 = PCIINTxRoute__bindgen_ty_1(
    2,
);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct PCIINTxRoute__bindgen_ty_1(pub ::core::ffi::c_uint);
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIINTxRoute"][::core::mem::size_of::<PCIINTxRoute>() - 8usize];
    ["Alignment of PCIINTxRoute"][::core::mem::align_of::<PCIINTxRoute>() - 4usize];
    [
        "Offset of field: PCIINTxRoute::mode",
    ][::core::mem::offset_of!(PCIINTxRoute, mode) - 0usize];
    [
        "Offset of field: PCIINTxRoute::irq",
    ][::core::mem::offset_of!(PCIINTxRoute, irq) - 4usize];
};
impl Default for PCIINTxRoute {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type PCIINTxRoutingNotifier = ::core::option::Option<
    unsafe extern "C" fn(dev: *mut PCIDevice),
>;
pub type MSIVectorUseNotifier = ::core::option::Option<
    unsafe extern "C" fn(
        dev: *mut PCIDevice,
        vector: ::core::ffi::c_uint,
        msg: MSIMessage,
    ) -> ::core::ffi::c_int,
>;
pub type MSIVectorReleaseNotifier = ::core::option::Option<
    unsafe extern "C" fn(dev: *mut PCIDevice, vector: ::core::ffi::c_uint),
>;
pub type MSIVectorPollNotifier = ::core::option::Option<
    unsafe extern "C" fn(
        dev: *mut PCIDevice,
        vector_start: ::core::ffi::c_uint,
        vector_end: ::core::ffi::c_uint,
    ),
>;
unsafe extern "C" {
    pub fn pci_register_bar(
        pci_dev: *mut PCIDevice,
        region_num: ::core::ffi::c_int,
        attr: u8,
        memory: *mut MemoryRegion,
    );
}
unsafe extern "C" {
    pub fn pci_add_capability(
        pdev: *mut PCIDevice,
        cap_id: u8,
        offset: u8,
        size: u8,
        errp: *mut *mut Error,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pci_default_read_config(
        d: *mut PCIDevice,
        address: u32,
        len: ::core::ffi::c_int,
    ) -> u32;
}
unsafe extern "C" {
    pub fn pci_default_write_config(
        d: *mut PCIDevice,
        address: u32,
        val: u32,
        len: ::core::ffi::c_int,
    );
}
pub type pci_set_irq_fn = ::core::option::Option<
    unsafe extern "C" fn(
        opaque: *mut ::core::ffi::c_void,
        irq_num: ::core::ffi::c_int,
        level: ::core::ffi::c_int,
    ),
>;
pub type pci_map_irq_fn = ::core::option::Option<
    unsafe extern "C" fn(
        pci_dev: *mut PCIDevice,
        irq_num: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int,
>;
pub type pci_route_irq_fn = ::core::option::Option<
    unsafe extern "C" fn(
        opaque: *mut ::core::ffi::c_void,
        pin: ::core::ffi::c_int,
    ) -> PCIINTxRoute,
>;
unsafe extern "C" {
    pub fn pci_device_reset(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pci_bus_num(s: *mut PCIBus) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pci_dma_can_stall(dev: *mut PCIDevice) -> bool;
}
unsafe extern "C" {
    pub fn pci_device_root_bus(d: *const PCIDevice) -> *mut PCIBus;
}
unsafe extern "C" {
    pub fn pci_bus_bypass_iommu(bus: *mut PCIBus) -> bool;
}
unsafe extern "C" {
    pub fn pci_find_device(
        bus: *mut PCIBus,
        bus_num: ::core::ffi::c_int,
        devfn: u8,
    ) -> *mut PCIDevice;
}
pub const IOMMUPRIResponseCode_IOMMU_PRI_RESP_SUCCESS: IOMMUPRIResponseCode = IOMMUPRIResponseCode(
    0,
);
pub const IOMMUPRIResponseCode_IOMMU_PRI_RESP_INVALID_REQUEST: IOMMUPRIResponseCode = IOMMUPRIResponseCode(
    1,
);
pub const IOMMUPRIResponseCode_IOMMU_PRI_RESP_FAILURE: IOMMUPRIResponseCode = IOMMUPRIResponseCode(
    2,
);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct IOMMUPRIResponseCode(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IOMMUPRIResponse {
    pub response_code: IOMMUPRIResponseCode,
    pub prgi: u16,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IOMMUPRIResponse"][::core::mem::size_of::<IOMMUPRIResponse>() - 8usize];
    [
        "Alignment of IOMMUPRIResponse",
    ][::core::mem::align_of::<IOMMUPRIResponse>() - 4usize];
    [
        "Offset of field: IOMMUPRIResponse::response_code",
    ][::core::mem::offset_of!(IOMMUPRIResponse, response_code) - 0usize];
    [
        "Offset of field: IOMMUPRIResponse::prgi",
    ][::core::mem::offset_of!(IOMMUPRIResponse, prgi) - 4usize];
};
impl Default for IOMMUPRIResponse {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type IOMMUPRINotify = ::core::option::Option<
    unsafe extern "C" fn(
        notifier: *mut IOMMUPRINotifier,
        response: *mut IOMMUPRIResponse,
    ),
>;
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct IOMMUPRINotifier {
    pub notify: IOMMUPRINotify,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IOMMUPRINotifier"][::core::mem::size_of::<IOMMUPRINotifier>() - 8usize];
    [
        "Alignment of IOMMUPRINotifier",
    ][::core::mem::align_of::<IOMMUPRINotifier>() - 8usize];
    [
        "Offset of field: IOMMUPRINotifier::notify",
    ][::core::mem::offset_of!(IOMMUPRINotifier, notify) - 0usize];
};
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct PCIDMAReq {
    pub pasid: u32,
    pub read: bool,
    pub write: bool,
    pub exec: bool,
    pub priv_: bool,
    pub addr: hwaddr,
    pub tag: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIDMAReq"][::core::mem::size_of::<PCIDMAReq>() - 24usize];
    ["Alignment of PCIDMAReq"][::core::mem::align_of::<PCIDMAReq>() - 8usize];
    [
        "Offset of field: PCIDMAReq::pasid",
    ][::core::mem::offset_of!(PCIDMAReq, pasid) - 0usize];
    [
        "Offset of field: PCIDMAReq::read",
    ][::core::mem::offset_of!(PCIDMAReq, read) - 4usize];
    [
        "Offset of field: PCIDMAReq::write",
    ][::core::mem::offset_of!(PCIDMAReq, write) - 5usize];
    [
        "Offset of field: PCIDMAReq::exec",
    ][::core::mem::offset_of!(PCIDMAReq, exec) - 6usize];
    [
        "Offset of field: PCIDMAReq::priv_",
    ][::core::mem::offset_of!(PCIDMAReq, priv_) - 7usize];
    [
        "Offset of field: PCIDMAReq::addr",
    ][::core::mem::offset_of!(PCIDMAReq, addr) - 8usize];
    [
        "Offset of field: PCIDMAReq::tag",
    ][::core::mem::offset_of!(PCIDMAReq, tag) - 16usize];
};
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct PCIDMAClientOps {
    pub resolved: ::core::option::Option<
        unsafe extern "C" fn(opaque: *mut ::core::ffi::c_void, tag: u64, retry: bool),
    >,
    pub ats_inv: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            itag: u32,
            pasid: u32,
            addr: hwaddr,
            mask: hwaddr,
        ),
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIDMAClientOps"][::core::mem::size_of::<PCIDMAClientOps>() - 16usize];
    [
        "Alignment of PCIDMAClientOps",
    ][::core::mem::align_of::<PCIDMAClientOps>() - 8usize];
    [
        "Offset of field: PCIDMAClientOps::resolved",
    ][::core::mem::offset_of!(PCIDMAClientOps, resolved) - 0usize];
    [
        "Offset of field: PCIDMAClientOps::ats_inv",
    ][::core::mem::offset_of!(PCIDMAClientOps, ats_inv) - 8usize];
};
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct PCIIOMMUOps {
    pub supports_address_space: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            errp: *mut *mut Error,
        ) -> bool,
    >,
    pub get_address_space: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
        ) -> *mut AddressSpace,
    >,
    pub set_iommu_device: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            dev: *mut HostIOMMUDevice,
            errp: *mut *mut Error,
        ) -> bool,
    >,
    pub unset_iommu_device: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
        ),
    >,
    pub get_viommu_flags: ::core::option::Option<
        unsafe extern "C" fn(opaque: *mut ::core::ffi::c_void) -> u64,
    >,
    pub get_host_iommu_quirks: ::core::option::Option<
        unsafe extern "C" fn(
            type_: u32,
            caps: *mut ::core::ffi::c_void,
            size: u32,
        ) -> u64,
    >,
    pub get_iotlb_info: ::core::option::Option<
        unsafe extern "C" fn(
            opaque: *mut ::core::ffi::c_void,
            addr_width: *mut u8,
            min_page_size: *mut u32,
        ),
    >,
    pub init_iotlb_notifier: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            n: *mut IOMMUNotifier,
            fn_: IOMMUNotify,
            user_opaque: *mut ::core::ffi::c_void,
        ),
    >,
    pub register_iotlb_notifier: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            pasid: u32,
            n: *mut IOMMUNotifier,
        ),
    >,
    pub unregister_iotlb_notifier: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            pasid: u32,
            n: *mut IOMMUNotifier,
        ),
    >,
    pub ats_request_translation: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            pasid: u32,
            priv_req: bool,
            exec_req: bool,
            addr: hwaddr,
            length: usize,
            no_write: bool,
            result: *mut IOMMUTLBEntry,
            result_length: usize,
            err_count: *mut u32,
        ) -> isize,
    >,
    pub pri_register_notifier: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            pasid: u32,
            notifier: *mut IOMMUPRINotifier,
        ),
    >,
    pub pri_unregister_notifier: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            pasid: u32,
        ),
    >,
    pub pri_request_page: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            pasid: u32,
            priv_req: bool,
            exec_req: bool,
            addr: hwaddr,
            lpig: bool,
            prgi: u16,
            is_read: bool,
            is_write: bool,
        ) -> ::core::ffi::c_int,
    >,
    pub get_msi_direct_gpa: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
        ) -> u64,
    >,
    pub dma_translate: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            dev: *mut PCIDevice,
            req: *const PCIDMAReq,
            entry: *mut IOMMUTLBEntry,
            epoch: *mut u64,
        ) -> ::core::ffi::c_int,
    >,
    pub dma_end: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            epoch: u64,
        ),
    >,
    pub dma_cancel: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            dev: *mut PCIDevice,
            pasid: u32,
            tag: u64,
        ),
    >,
    pub dma_restore: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            dev: *mut PCIDevice,
            tags: *const u64,
            pasids: *const u32,
            n: usize,
            errp: *mut *mut Error,
        ) -> bool,
    >,
    pub ats_inv_done: ::core::option::Option<
        unsafe extern "C" fn(
            bus: *mut PCIBus,
            opaque: *mut ::core::ffi::c_void,
            devfn: ::core::ffi::c_int,
            dev: *mut PCIDevice,
            itag: u32,
        ),
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIIOMMUOps"][::core::mem::size_of::<PCIIOMMUOps>() - 160usize];
    ["Alignment of PCIIOMMUOps"][::core::mem::align_of::<PCIIOMMUOps>() - 8usize];
    [
        "Offset of field: PCIIOMMUOps::supports_address_space",
    ][::core::mem::offset_of!(PCIIOMMUOps, supports_address_space) - 0usize];
    [
        "Offset of field: PCIIOMMUOps::get_address_space",
    ][::core::mem::offset_of!(PCIIOMMUOps, get_address_space) - 8usize];
    [
        "Offset of field: PCIIOMMUOps::set_iommu_device",
    ][::core::mem::offset_of!(PCIIOMMUOps, set_iommu_device) - 16usize];
    [
        "Offset of field: PCIIOMMUOps::unset_iommu_device",
    ][::core::mem::offset_of!(PCIIOMMUOps, unset_iommu_device) - 24usize];
    [
        "Offset of field: PCIIOMMUOps::get_viommu_flags",
    ][::core::mem::offset_of!(PCIIOMMUOps, get_viommu_flags) - 32usize];
    [
        "Offset of field: PCIIOMMUOps::get_host_iommu_quirks",
    ][::core::mem::offset_of!(PCIIOMMUOps, get_host_iommu_quirks) - 40usize];
    [
        "Offset of field: PCIIOMMUOps::get_iotlb_info",
    ][::core::mem::offset_of!(PCIIOMMUOps, get_iotlb_info) - 48usize];
    [
        "Offset of field: PCIIOMMUOps::init_iotlb_notifier",
    ][::core::mem::offset_of!(PCIIOMMUOps, init_iotlb_notifier) - 56usize];
    [
        "Offset of field: PCIIOMMUOps::register_iotlb_notifier",
    ][::core::mem::offset_of!(PCIIOMMUOps, register_iotlb_notifier) - 64usize];
    [
        "Offset of field: PCIIOMMUOps::unregister_iotlb_notifier",
    ][::core::mem::offset_of!(PCIIOMMUOps, unregister_iotlb_notifier) - 72usize];
    [
        "Offset of field: PCIIOMMUOps::ats_request_translation",
    ][::core::mem::offset_of!(PCIIOMMUOps, ats_request_translation) - 80usize];
    [
        "Offset of field: PCIIOMMUOps::pri_register_notifier",
    ][::core::mem::offset_of!(PCIIOMMUOps, pri_register_notifier) - 88usize];
    [
        "Offset of field: PCIIOMMUOps::pri_unregister_notifier",
    ][::core::mem::offset_of!(PCIIOMMUOps, pri_unregister_notifier) - 96usize];
    [
        "Offset of field: PCIIOMMUOps::pri_request_page",
    ][::core::mem::offset_of!(PCIIOMMUOps, pri_request_page) - 104usize];
    [
        "Offset of field: PCIIOMMUOps::get_msi_direct_gpa",
    ][::core::mem::offset_of!(PCIIOMMUOps, get_msi_direct_gpa) - 112usize];
    [
        "Offset of field: PCIIOMMUOps::dma_translate",
    ][::core::mem::offset_of!(PCIIOMMUOps, dma_translate) - 120usize];
    [
        "Offset of field: PCIIOMMUOps::dma_end",
    ][::core::mem::offset_of!(PCIIOMMUOps, dma_end) - 128usize];
    [
        "Offset of field: PCIIOMMUOps::dma_cancel",
    ][::core::mem::offset_of!(PCIIOMMUOps, dma_cancel) - 136usize];
    [
        "Offset of field: PCIIOMMUOps::dma_restore",
    ][::core::mem::offset_of!(PCIIOMMUOps, dma_restore) - 144usize];
    [
        "Offset of field: PCIIOMMUOps::ats_inv_done",
    ][::core::mem::offset_of!(PCIIOMMUOps, ats_inv_done) - 152usize];
};
unsafe extern "C" {
    pub fn pci_device_get_iommu_bus_devfn(
        dev: *mut PCIDevice,
        piommu_bus: *mut *mut PCIBus,
        aliased_bus: *mut *mut PCIBus,
        aliased_devfn: *mut ::core::ffi::c_int,
    ) -> bool;
}
unsafe extern "C" {
    pub fn pci_device_iommu_address_space(dev: *mut PCIDevice) -> *mut AddressSpace;
}
unsafe extern "C" {
    pub fn pci_ats_request_translation(
        dev: *mut PCIDevice,
        pasid: u32,
        priv_req: bool,
        exec_req: bool,
        addr: hwaddr,
        length: usize,
        no_write: bool,
        result: *mut IOMMUTLBEntry,
        result_length: usize,
        err_count: *mut u32,
    ) -> isize;
}
unsafe extern "C" {
    pub fn pci_pri_request_page(
        dev: *mut PCIDevice,
        pasid: u32,
        priv_req: bool,
        exec_req: bool,
        addr: hwaddr,
        lpig: bool,
        prgi: u16,
        is_read: bool,
        is_write: bool,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pci_pri_register_notifier(
        dev: *mut PCIDevice,
        pasid: u32,
        notifier: *mut IOMMUPRINotifier,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pci_pri_unregister_notifier(dev: *mut PCIDevice, pasid: u32);
}
unsafe extern "C" {
    pub fn pci_iommu_register_iotlb_notifier(
        dev: *mut PCIDevice,
        pasid: u32,
        n: *mut IOMMUNotifier,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pci_iommu_unregister_iotlb_notifier(
        dev: *mut PCIDevice,
        pasid: u32,
        n: *mut IOMMUNotifier,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pci_dma_set_client(
        dev: *mut PCIDevice,
        ops: *const PCIDMAClientOps,
        opaque: *mut ::core::ffi::c_void,
    );
}
unsafe extern "C" {
    pub fn pci_dma_rw_pasid(
        dev: *mut PCIDevice,
        req: *const PCIDMAReq,
        buf: *mut ::core::ffi::c_void,
        len: usize,
        done: *mut usize,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pci_dma_cmpxchg_pasid(
        dev: *mut PCIDevice,
        req: *const PCIDMAReq,
        size: ::core::ffi::c_uint,
        expected: u64,
        desired: u64,
        found: *mut u64,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pci_dma_cancel(dev: *mut PCIDevice, pasid: u32, tag: u64);
}
unsafe extern "C" {
    pub fn pci_dma_restore(
        dev: *mut PCIDevice,
        tags: *const u64,
        pasids: *const u32,
        n: usize,
        errp: *mut *mut Error,
    ) -> bool;
}
unsafe extern "C" {
    pub fn pci_ats_inv_done(dev: *mut PCIDevice, itag: u32);
}
unsafe extern "C" {
    pub fn pci_dma_is_under_way() -> bool;
}
unsafe extern "C" {
    pub fn pci_dma_enter();
}
unsafe extern "C" {
    pub fn pci_dma_leave();
}
unsafe extern "C" {
    pub fn pci_dma_resolved(dev: *mut PCIDevice, tag: u64, retry: bool);
}
unsafe extern "C" {
    pub fn pci_ats_inv(
        dev: *mut PCIDevice,
        itag: u32,
        pasid: u32,
        addr: hwaddr,
        mask: hwaddr,
    );
}
unsafe extern "C" {
    pub fn pci_setup_iommu(
        bus: *mut PCIBus,
        ops: *const PCIIOMMUOps,
        opaque: *mut ::core::ffi::c_void,
    );
}
unsafe extern "C" {
    pub fn pci_setup_iommu_per_bus(
        bus: *mut PCIBus,
        ops: *const PCIIOMMUOps,
        opaque: *mut ::core::ffi::c_void,
        errp: *mut *mut Error,
    ) -> bool;
}
unsafe extern "C" {
    pub fn pci_set_irq(pci_dev: *mut PCIDevice, level: ::core::ffi::c_int);
}
unsafe extern "C" {
    pub fn msix_set_message(
        dev: *mut PCIDevice,
        vector: ::core::ffi::c_int,
        msg: MSIMessage,
    );
}
unsafe extern "C" {
    pub fn msix_get_message(
        dev: *mut PCIDevice,
        vector: ::core::ffi::c_uint,
    ) -> MSIMessage;
}
unsafe extern "C" {
    pub fn msix_init(
        dev: *mut PCIDevice,
        nentries: u32,
        table_bar: *mut MemoryRegion,
        table_bar_nr: u8,
        table_offset: ::core::ffi::c_uint,
        pba_bar: *mut MemoryRegion,
        pba_bar_nr: u8,
        pba_offset: ::core::ffi::c_uint,
        cap_pos: u8,
        errp: *mut *mut Error,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn msix_init_exclusive_bar(
        dev: *mut PCIDevice,
        nentries: u32,
        bar_nr: u8,
        errp: *mut *mut Error,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn msix_write_config(
        dev: *mut PCIDevice,
        address: u32,
        val: u32,
        len: ::core::ffi::c_int,
    );
}
unsafe extern "C" {
    pub fn msix_uninit(
        dev: *mut PCIDevice,
        table_bar: *mut MemoryRegion,
        pba_bar: *mut MemoryRegion,
    );
}
unsafe extern "C" {
    pub fn msix_uninit_exclusive_bar(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn msix_nr_vectors_allocated(dev: *const PCIDevice) -> ::core::ffi::c_uint;
}
unsafe extern "C" {
    pub fn msix_save(dev: *mut PCIDevice, f: *mut QEMUFile);
}
unsafe extern "C" {
    pub fn msix_load(dev: *mut PCIDevice, f: *mut QEMUFile);
}
unsafe extern "C" {
    pub fn msix_enabled(dev: *mut PCIDevice) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn msix_present(dev: *mut PCIDevice) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn msix_is_masked(dev: *mut PCIDevice, vector: ::core::ffi::c_uint) -> bool;
}
unsafe extern "C" {
    pub fn msix_set_pending(dev: *mut PCIDevice, vector: ::core::ffi::c_uint);
}
unsafe extern "C" {
    pub fn msix_clr_pending(dev: *mut PCIDevice, vector: ::core::ffi::c_int);
}
unsafe extern "C" {
    pub fn msix_is_pending(
        dev: *mut PCIDevice,
        vector: ::core::ffi::c_uint,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn msix_vector_use(dev: *mut PCIDevice, vector: ::core::ffi::c_uint);
}
unsafe extern "C" {
    pub fn msix_vector_unuse(dev: *mut PCIDevice, vector: ::core::ffi::c_uint);
}
unsafe extern "C" {
    pub fn msix_unuse_all_vectors(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn msix_set_mask(dev: *mut PCIDevice, vector: ::core::ffi::c_int, mask: bool);
}
unsafe extern "C" {
    pub fn msix_notify(dev: *mut PCIDevice, vector: ::core::ffi::c_uint);
}
unsafe extern "C" {
    pub fn msix_reset(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn msix_set_vector_notifiers(
        dev: *mut PCIDevice,
        use_notifier: MSIVectorUseNotifier,
        release_notifier: MSIVectorReleaseNotifier,
        poll_notifier: MSIVectorPollNotifier,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn msix_unset_vector_notifiers(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub static vmstate_msix: VMStateDescription;
}
pub const PCIBusFlags_PCI_BUS_IS_ROOT: PCIBusFlags = PCIBusFlags(1);
pub const PCIBusFlags_PCI_BUS_EXTENDED_CONFIG_SPACE: PCIBusFlags = PCIBusFlags(2);
pub const PCIBusFlags_PCI_BUS_CXL: PCIBusFlags = PCIBusFlags(4);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct PCIBusFlags(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PCIBus {
    pub qbus: BusState,
    pub flags: PCIBusFlags,
    pub iommu_ops: *const PCIIOMMUOps,
    pub iommu_opaque: *mut ::core::ffi::c_void,
    pub iommu_per_bus: bool,
    pub devfn_min: u8,
    pub slot_reserved_mask: u32,
    pub set_irq: pci_set_irq_fn,
    pub map_irq: pci_map_irq_fn,
    pub route_intx_to_irq: pci_route_irq_fn,
    pub irq_opaque: *mut ::core::ffi::c_void,
    pub devices: [*mut PCIDevice; 256usize],
    pub parent_dev: *mut PCIDevice,
    pub address_space_mem: *mut MemoryRegion,
    pub address_space_io: *mut MemoryRegion,
    pub child: PCIBus__bindgen_ty_1,
    pub sibling: PCIBus__bindgen_ty_2,
    pub nirq: ::core::ffi::c_int,
    pub irq_count: *mut ::core::ffi::c_int,
    pub machine_done: Notifier,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PCIBus__bindgen_ty_1 {
    pub lh_first: *mut PCIBus,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of PCIBus__bindgen_ty_1",
    ][::core::mem::size_of::<PCIBus__bindgen_ty_1>() - 8usize];
    [
        "Alignment of PCIBus__bindgen_ty_1",
    ][::core::mem::align_of::<PCIBus__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: PCIBus__bindgen_ty_1::lh_first",
    ][::core::mem::offset_of!(PCIBus__bindgen_ty_1, lh_first) - 0usize];
};
impl Default for PCIBus__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PCIBus__bindgen_ty_2 {
    pub le_next: *mut PCIBus,
    pub le_prev: *mut *mut PCIBus,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of PCIBus__bindgen_ty_2",
    ][::core::mem::size_of::<PCIBus__bindgen_ty_2>() - 16usize];
    [
        "Alignment of PCIBus__bindgen_ty_2",
    ][::core::mem::align_of::<PCIBus__bindgen_ty_2>() - 8usize];
    [
        "Offset of field: PCIBus__bindgen_ty_2::le_next",
    ][::core::mem::offset_of!(PCIBus__bindgen_ty_2, le_next) - 0usize];
    [
        "Offset of field: PCIBus__bindgen_ty_2::le_prev",
    ][::core::mem::offset_of!(PCIBus__bindgen_ty_2, le_prev) - 8usize];
};
impl Default for PCIBus__bindgen_ty_2 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIBus"][::core::mem::size_of::<PCIBus>() - 2320usize];
    ["Alignment of PCIBus"][::core::mem::align_of::<PCIBus>() - 8usize];
    ["Offset of field: PCIBus::qbus"][::core::mem::offset_of!(PCIBus, qbus) - 0usize];
    [
        "Offset of field: PCIBus::flags",
    ][::core::mem::offset_of!(PCIBus, flags) - 120usize];
    [
        "Offset of field: PCIBus::iommu_ops",
    ][::core::mem::offset_of!(PCIBus, iommu_ops) - 128usize];
    [
        "Offset of field: PCIBus::iommu_opaque",
    ][::core::mem::offset_of!(PCIBus, iommu_opaque) - 136usize];
    [
        "Offset of field: PCIBus::iommu_per_bus",
    ][::core::mem::offset_of!(PCIBus, iommu_per_bus) - 144usize];
    [
        "Offset of field: PCIBus::devfn_min",
    ][::core::mem::offset_of!(PCIBus, devfn_min) - 145usize];
    [
        "Offset of field: PCIBus::slot_reserved_mask",
    ][::core::mem::offset_of!(PCIBus, slot_reserved_mask) - 148usize];
    [
        "Offset of field: PCIBus::set_irq",
    ][::core::mem::offset_of!(PCIBus, set_irq) - 152usize];
    [
        "Offset of field: PCIBus::map_irq",
    ][::core::mem::offset_of!(PCIBus, map_irq) - 160usize];
    [
        "Offset of field: PCIBus::route_intx_to_irq",
    ][::core::mem::offset_of!(PCIBus, route_intx_to_irq) - 168usize];
    [
        "Offset of field: PCIBus::irq_opaque",
    ][::core::mem::offset_of!(PCIBus, irq_opaque) - 176usize];
    [
        "Offset of field: PCIBus::devices",
    ][::core::mem::offset_of!(PCIBus, devices) - 184usize];
    [
        "Offset of field: PCIBus::parent_dev",
    ][::core::mem::offset_of!(PCIBus, parent_dev) - 2232usize];
    [
        "Offset of field: PCIBus::address_space_mem",
    ][::core::mem::offset_of!(PCIBus, address_space_mem) - 2240usize];
    [
        "Offset of field: PCIBus::address_space_io",
    ][::core::mem::offset_of!(PCIBus, address_space_io) - 2248usize];
    [
        "Offset of field: PCIBus::child",
    ][::core::mem::offset_of!(PCIBus, child) - 2256usize];
    [
        "Offset of field: PCIBus::sibling",
    ][::core::mem::offset_of!(PCIBus, sibling) - 2264usize];
    ["Offset of field: PCIBus::nirq"][::core::mem::offset_of!(PCIBus, nirq) - 2280usize];
    [
        "Offset of field: PCIBus::irq_count",
    ][::core::mem::offset_of!(PCIBus, irq_count) - 2288usize];
    [
        "Offset of field: PCIBus::machine_done",
    ][::core::mem::offset_of!(PCIBus, machine_done) - 2296usize];
};
impl Default for PCIBus {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const PCIExpLinkSpeed_QEMU_PCI_EXP_LNK_2_5GT: PCIExpLinkSpeed = PCIExpLinkSpeed(1);
pub const PCIExpLinkSpeed_QEMU_PCI_EXP_LNK_5GT: PCIExpLinkSpeed = PCIExpLinkSpeed(2);
pub const PCIExpLinkSpeed_QEMU_PCI_EXP_LNK_8GT: PCIExpLinkSpeed = PCIExpLinkSpeed(3);
pub const PCIExpLinkSpeed_QEMU_PCI_EXP_LNK_16GT: PCIExpLinkSpeed = PCIExpLinkSpeed(4);
pub const PCIExpLinkSpeed_QEMU_PCI_EXP_LNK_32GT: PCIExpLinkSpeed = PCIExpLinkSpeed(5);
pub const PCIExpLinkSpeed_QEMU_PCI_EXP_LNK_64GT: PCIExpLinkSpeed = PCIExpLinkSpeed(6);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct PCIExpLinkSpeed(pub ::core::ffi::c_uint);
pub const PCIExpLinkWidth_QEMU_PCI_EXP_LNK_X1: PCIExpLinkWidth = PCIExpLinkWidth(1);
pub const PCIExpLinkWidth_QEMU_PCI_EXP_LNK_X2: PCIExpLinkWidth = PCIExpLinkWidth(2);
pub const PCIExpLinkWidth_QEMU_PCI_EXP_LNK_X4: PCIExpLinkWidth = PCIExpLinkWidth(4);
pub const PCIExpLinkWidth_QEMU_PCI_EXP_LNK_X8: PCIExpLinkWidth = PCIExpLinkWidth(8);
pub const PCIExpLinkWidth_QEMU_PCI_EXP_LNK_X12: PCIExpLinkWidth = PCIExpLinkWidth(12);
pub const PCIExpLinkWidth_QEMU_PCI_EXP_LNK_X16: PCIExpLinkWidth = PCIExpLinkWidth(16);
pub const PCIExpLinkWidth_QEMU_PCI_EXP_LNK_X32: PCIExpLinkWidth = PCIExpLinkWidth(32);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct PCIExpLinkWidth(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct PCIEAERErr {
    pub status: u32,
    pub source_id: u16,
    pub flags: u16,
    pub header: [u32; 4usize],
    pub prefix: [u32; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIEAERErr"][::core::mem::size_of::<PCIEAERErr>() - 40usize];
    ["Alignment of PCIEAERErr"][::core::mem::align_of::<PCIEAERErr>() - 4usize];
    [
        "Offset of field: PCIEAERErr::status",
    ][::core::mem::offset_of!(PCIEAERErr, status) - 0usize];
    [
        "Offset of field: PCIEAERErr::source_id",
    ][::core::mem::offset_of!(PCIEAERErr, source_id) - 4usize];
    [
        "Offset of field: PCIEAERErr::flags",
    ][::core::mem::offset_of!(PCIEAERErr, flags) - 6usize];
    [
        "Offset of field: PCIEAERErr::header",
    ][::core::mem::offset_of!(PCIEAERErr, header) - 8usize];
    [
        "Offset of field: PCIEAERErr::prefix",
    ][::core::mem::offset_of!(PCIEAERErr, prefix) - 24usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PCIEAERLog {
    pub log_num: u16,
    pub log_max: u16,
    pub log: *mut PCIEAERErr,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIEAERLog"][::core::mem::size_of::<PCIEAERLog>() - 16usize];
    ["Alignment of PCIEAERLog"][::core::mem::align_of::<PCIEAERLog>() - 8usize];
    [
        "Offset of field: PCIEAERLog::log_num",
    ][::core::mem::offset_of!(PCIEAERLog, log_num) - 0usize];
    [
        "Offset of field: PCIEAERLog::log_max",
    ][::core::mem::offset_of!(PCIEAERLog, log_max) - 2usize];
    [
        "Offset of field: PCIEAERLog::log",
    ][::core::mem::offset_of!(PCIEAERLog, log) - 8usize];
};
impl Default for PCIEAERLog {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn pcie_aer_init(
        dev: *mut PCIDevice,
        cap_ver: u8,
        offset: u16,
        size: u16,
        errp: *mut *mut Error,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pcie_aer_exit(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_aer_write_config(
        dev: *mut PCIDevice,
        addr: u32,
        val: u32,
        len: ::core::ffi::c_int,
    );
}
unsafe extern "C" {
    pub fn pcie_aer_root_set_vector(dev: *mut PCIDevice, vector: ::core::ffi::c_uint);
}
unsafe extern "C" {
    pub fn pcie_aer_root_init(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_aer_root_reset(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_aer_root_write_config(
        dev: *mut PCIDevice,
        addr: u32,
        val: u32,
        len: ::core::ffi::c_int,
        root_cmd_prev: u32,
    );
}
unsafe extern "C" {
    pub fn pcie_aer_inject_error(
        dev: *mut PCIDevice,
        err: *const PCIEAERErr,
    ) -> ::core::ffi::c_int;
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PCIESriovPF {
    pub vf_bar_type: [u8; 7usize],
    pub vf: *mut *mut PCIDevice,
    pub vf_user_created: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIESriovPF"][::core::mem::size_of::<PCIESriovPF>() - 24usize];
    ["Alignment of PCIESriovPF"][::core::mem::align_of::<PCIESriovPF>() - 8usize];
    [
        "Offset of field: PCIESriovPF::vf_bar_type",
    ][::core::mem::offset_of!(PCIESriovPF, vf_bar_type) - 0usize];
    [
        "Offset of field: PCIESriovPF::vf",
    ][::core::mem::offset_of!(PCIESriovPF, vf) - 8usize];
    [
        "Offset of field: PCIESriovPF::vf_user_created",
    ][::core::mem::offset_of!(PCIESriovPF, vf_user_created) - 16usize];
};
impl Default for PCIESriovPF {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PCIESriovVF {
    pub pf: *mut PCIDevice,
    pub vf_number: u16,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIESriovVF"][::core::mem::size_of::<PCIESriovVF>() - 16usize];
    ["Alignment of PCIESriovVF"][::core::mem::align_of::<PCIESriovVF>() - 8usize];
    [
        "Offset of field: PCIESriovVF::pf",
    ][::core::mem::offset_of!(PCIESriovVF, pf) - 0usize];
    [
        "Offset of field: PCIESriovVF::vf_number",
    ][::core::mem::offset_of!(PCIESriovVF, vf_number) - 8usize];
};
impl Default for PCIESriovVF {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn pcie_sriov_pf_init(
        dev: *mut PCIDevice,
        offset: u16,
        vfname: *const ::core::ffi::c_char,
        vf_dev_id: u16,
        init_vfs: u16,
        total_vfs: u16,
        vf_offset: u16,
        vf_stride: u16,
        errp: *mut *mut Error,
    ) -> bool;
}
unsafe extern "C" {
    pub fn pcie_sriov_pf_exit(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_sriov_pf_init_vf_bar(
        dev: *mut PCIDevice,
        region_num: ::core::ffi::c_int,
        type_: u8,
        size: dma_addr_t,
    );
}
unsafe extern "C" {
    pub fn pcie_sriov_pf_init_from_user_created_vfs(
        dev: *mut PCIDevice,
        offset: u16,
        errp: *mut *mut Error,
    ) -> i16;
}
unsafe extern "C" {
    pub fn pcie_sriov_register_device(
        dev: *mut PCIDevice,
        errp: *mut *mut Error,
    ) -> bool;
}
unsafe extern "C" {
    pub fn pcie_sriov_unregister_device(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_sriov_pf_add_sup_pgsize(dev: *mut PCIDevice, opt_sup_pgsize: u16);
}
unsafe extern "C" {
    pub fn pcie_sriov_config_write(
        dev: *mut PCIDevice,
        address: u32,
        val: u32,
        len: ::core::ffi::c_int,
    );
}
unsafe extern "C" {
    pub fn pcie_sriov_pf_post_load(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_sriov_pf_reset(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_sriov_vf_number(dev: *mut PCIDevice) -> u16;
}
unsafe extern "C" {
    pub fn pcie_sriov_get_pf(dev: *mut PCIDevice) -> *mut PCIDevice;
}
unsafe extern "C" {
    pub fn pcie_sriov_get_vf_at_index(
        dev: *mut PCIDevice,
        n: ::core::ffi::c_int,
    ) -> *mut PCIDevice;
}
unsafe extern "C" {
    pub fn pcie_sriov_num_vfs(dev: *mut PCIDevice) -> u16;
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PCIExpressDevice {
    pub exp_cap: u8,
    pub hpev_notified: bool,
    pub aer_cap: u16,
    pub aer_log: PCIEAERLog,
    pub ats_cap: u16,
    pub pasid_cap: u16,
    pub pri_cap: u16,
    pub acs_cap: u16,
    pub sriov_cap: u16,
    pub sriov_pf: PCIESriovPF,
    pub sriov_vf: PCIESriovVF,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIExpressDevice"][::core::mem::size_of::<PCIExpressDevice>() - 80usize];
    [
        "Alignment of PCIExpressDevice",
    ][::core::mem::align_of::<PCIExpressDevice>() - 8usize];
    [
        "Offset of field: PCIExpressDevice::exp_cap",
    ][::core::mem::offset_of!(PCIExpressDevice, exp_cap) - 0usize];
    [
        "Offset of field: PCIExpressDevice::hpev_notified",
    ][::core::mem::offset_of!(PCIExpressDevice, hpev_notified) - 1usize];
    [
        "Offset of field: PCIExpressDevice::aer_cap",
    ][::core::mem::offset_of!(PCIExpressDevice, aer_cap) - 2usize];
    [
        "Offset of field: PCIExpressDevice::aer_log",
    ][::core::mem::offset_of!(PCIExpressDevice, aer_log) - 8usize];
    [
        "Offset of field: PCIExpressDevice::ats_cap",
    ][::core::mem::offset_of!(PCIExpressDevice, ats_cap) - 24usize];
    [
        "Offset of field: PCIExpressDevice::pasid_cap",
    ][::core::mem::offset_of!(PCIExpressDevice, pasid_cap) - 26usize];
    [
        "Offset of field: PCIExpressDevice::pri_cap",
    ][::core::mem::offset_of!(PCIExpressDevice, pri_cap) - 28usize];
    [
        "Offset of field: PCIExpressDevice::acs_cap",
    ][::core::mem::offset_of!(PCIExpressDevice, acs_cap) - 30usize];
    [
        "Offset of field: PCIExpressDevice::sriov_cap",
    ][::core::mem::offset_of!(PCIExpressDevice, sriov_cap) - 32usize];
    [
        "Offset of field: PCIExpressDevice::sriov_pf",
    ][::core::mem::offset_of!(PCIExpressDevice, sriov_pf) - 40usize];
    [
        "Offset of field: PCIExpressDevice::sriov_vf",
    ][::core::mem::offset_of!(PCIExpressDevice, sriov_vf) - 64usize];
};
impl Default for PCIExpressDevice {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn pcie_cap_init(
        dev: *mut PCIDevice,
        offset: u8,
        type_: u8,
        port: u8,
        errp: *mut *mut Error,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pcie_cap_v1_init(
        dev: *mut PCIDevice,
        offset: u8,
        type_: u8,
        port: u8,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pcie_endpoint_cap_init(dev: *mut PCIDevice, offset: u8) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pcie_cap_exit(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_endpoint_cap_v1_init(
        dev: *mut PCIDevice,
        offset: u8,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pcie_cap_v1_exit(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_get_type(dev: *const PCIDevice) -> u8;
}
unsafe extern "C" {
    pub fn pcie_cap_get_version(dev: *const PCIDevice) -> u8;
}
unsafe extern "C" {
    pub fn pcie_cap_flags_set_vector(dev: *mut PCIDevice, vector: u8);
}
unsafe extern "C" {
    pub fn pcie_cap_flags_get_vector(dev: *mut PCIDevice) -> u8;
}
unsafe extern "C" {
    pub fn pcie_cap_deverr_init(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_deverr_reset(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_lnkctl_init(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_lnkctl_reset(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_slot_init(dev: *mut PCIDevice, s: *mut PCIESlot);
}
unsafe extern "C" {
    pub fn pcie_cap_slot_reset(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_slot_get(dev: *mut PCIDevice, slt_ctl: *mut u16, slt_sta: *mut u16);
}
unsafe extern "C" {
    pub fn pcie_cap_slot_write_config(
        dev: *mut PCIDevice,
        old_slt_ctl: u16,
        old_slt_sta: u16,
        addr: u32,
        val: u32,
        len: ::core::ffi::c_int,
    );
}
unsafe extern "C" {
    pub fn pcie_cap_slot_post_load(
        opaque: *mut ::core::ffi::c_void,
        version_id: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn pcie_cap_slot_push_attention_button(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_slot_enable_power(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_root_init(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_root_reset(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_flr_init(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_flr_write_config(
        dev: *mut PCIDevice,
        addr: u32,
        val: u32,
        len: ::core::ffi::c_int,
    );
}
unsafe extern "C" {
    pub fn pcie_cap_arifwd_init(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_arifwd_reset(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_cap_is_arifwd_enabled(dev: *const PCIDevice) -> bool;
}
unsafe extern "C" {
    pub fn pcie_find_capability(dev: *mut PCIDevice, cap_id: u16) -> u16;
}
unsafe extern "C" {
    pub fn pcie_add_capability(
        dev: *mut PCIDevice,
        cap_id: u16,
        cap_ver: u8,
        offset: u16,
        size: u16,
    );
}
unsafe extern "C" {
    pub fn pcie_insert_capability(
        dev: *mut PCIDevice,
        cap_id: u16,
        cap_ver: u8,
        offset: u16,
        size: u16,
    ) -> bool;
}
unsafe extern "C" {
    pub fn pcie_sync_bridge_lnk(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_acs_init(dev: *mut PCIDevice, offset: u16);
}
unsafe extern "C" {
    pub fn pcie_acs_reset(dev: *mut PCIDevice);
}
unsafe extern "C" {
    pub fn pcie_ari_init(dev: *mut PCIDevice, offset: u16);
}
unsafe extern "C" {
    pub fn pcie_dev_ser_num_init(dev: *mut PCIDevice, offset: u16, ser_num: u64);
}
unsafe extern "C" {
    pub fn pcie_ats_init(dev: *mut PCIDevice, offset: u16, aligned: bool);
}
unsafe extern "C" {
    pub fn pcie_cap_fill_link_ep_usp(
        dev: *mut PCIDevice,
        width: PCIExpLinkWidth,
        speed: PCIExpLinkSpeed,
        flitmode: bool,
    );
}
unsafe extern "C" {
    pub fn pcie_cap_slot_pre_plug_cb(
        hotplug_dev: *mut HotplugHandler,
        dev: *mut DeviceState,
        errp: *mut *mut Error,
    );
}
unsafe extern "C" {
    pub fn pcie_cap_slot_plug_cb(
        hotplug_dev: *mut HotplugHandler,
        dev: *mut DeviceState,
        errp: *mut *mut Error,
    );
}
unsafe extern "C" {
    pub fn pcie_cap_slot_unplug_cb(
        hotplug_dev: *mut HotplugHandler,
        dev: *mut DeviceState,
        errp: *mut *mut Error,
    );
}
unsafe extern "C" {
    pub fn pcie_cap_slot_unplug_request_cb(
        hotplug_dev: *mut HotplugHandler,
        dev: *mut DeviceState,
        errp: *mut *mut Error,
    );
}
unsafe extern "C" {
    pub fn pcie_pasid_common_init(
        dev: *mut PCIDevice,
        offset: u16,
        pasid_width: u8,
        exec_perm: bool,
        priv_mod: bool,
    );
}
unsafe extern "C" {
    pub fn pcie_pasid_init(
        dev: *mut PCIDevice,
        offset: u16,
        pasid_width: u8,
        exec_perm: bool,
        priv_mod: bool,
    );
}
unsafe extern "C" {
    pub fn pcie_pri_init(
        dev: *mut PCIDevice,
        offset: u16,
        outstanding_pr_cap: u32,
        prg_response_pasid_req: bool,
    );
}
unsafe extern "C" {
    pub fn pcie_pri_get_req_alloc(dev: *const PCIDevice) -> u32;
}
unsafe extern "C" {
    pub fn pcie_pri_enabled(dev: *const PCIDevice) -> bool;
}
unsafe extern "C" {
    pub fn pcie_pasid_enabled(dev: *const PCIDevice) -> bool;
}
unsafe extern "C" {
    pub fn pcie_pasid_priv_enabled(dev: *mut PCIDevice) -> bool;
}
unsafe extern "C" {
    pub fn pcie_pasid_exec_enabled(dev: *mut PCIDevice) -> bool;
}
unsafe extern "C" {
    pub fn pcie_ats_enabled(dev: *const PCIDevice) -> bool;
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct DOEProtocol {
    pub vendor_id: u16,
    pub data_obj_type: u8,
    pub handle_request: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut DOECap) -> bool,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of DOEProtocol"][::core::mem::size_of::<DOEProtocol>() - 16usize];
    ["Alignment of DOEProtocol"][::core::mem::align_of::<DOEProtocol>() - 8usize];
    [
        "Offset of field: DOEProtocol::vendor_id",
    ][::core::mem::offset_of!(DOEProtocol, vendor_id) - 0usize];
    [
        "Offset of field: DOEProtocol::data_obj_type",
    ][::core::mem::offset_of!(DOEProtocol, data_obj_type) - 2usize];
    [
        "Offset of field: DOEProtocol::handle_request",
    ][::core::mem::offset_of!(DOEProtocol, handle_request) - 8usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct DOECap {
    pub pdev: *mut PCIDevice,
    pub offset: u16,
    pub cap: DOECap__bindgen_ty_1,
    pub ctrl: DOECap__bindgen_ty_2,
    pub status: DOECap__bindgen_ty_3,
    pub write_mbox: *mut u32,
    pub read_mbox: *mut u32,
    pub read_mbox_idx: u32,
    pub read_mbox_len: u32,
    pub write_mbox_len: u32,
    pub protocols: *mut DOEProtocol,
    pub protocol_num: u16,
    pub spdm_socket: ::core::ffi::c_int,
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct DOECap__bindgen_ty_1 {
    pub intr: bool,
    pub vec: u16,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of DOECap__bindgen_ty_1",
    ][::core::mem::size_of::<DOECap__bindgen_ty_1>() - 4usize];
    [
        "Alignment of DOECap__bindgen_ty_1",
    ][::core::mem::align_of::<DOECap__bindgen_ty_1>() - 2usize];
    [
        "Offset of field: DOECap__bindgen_ty_1::intr",
    ][::core::mem::offset_of!(DOECap__bindgen_ty_1, intr) - 0usize];
    [
        "Offset of field: DOECap__bindgen_ty_1::vec",
    ][::core::mem::offset_of!(DOECap__bindgen_ty_1, vec) - 2usize];
};
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct DOECap__bindgen_ty_2 {
    pub abort: bool,
    pub intr: bool,
    pub go: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of DOECap__bindgen_ty_2",
    ][::core::mem::size_of::<DOECap__bindgen_ty_2>() - 3usize];
    [
        "Alignment of DOECap__bindgen_ty_2",
    ][::core::mem::align_of::<DOECap__bindgen_ty_2>() - 1usize];
    [
        "Offset of field: DOECap__bindgen_ty_2::abort",
    ][::core::mem::offset_of!(DOECap__bindgen_ty_2, abort) - 0usize];
    [
        "Offset of field: DOECap__bindgen_ty_2::intr",
    ][::core::mem::offset_of!(DOECap__bindgen_ty_2, intr) - 1usize];
    [
        "Offset of field: DOECap__bindgen_ty_2::go",
    ][::core::mem::offset_of!(DOECap__bindgen_ty_2, go) - 2usize];
};
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct DOECap__bindgen_ty_3 {
    pub busy: bool,
    pub intr: bool,
    pub error: bool,
    pub ready: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of DOECap__bindgen_ty_3",
    ][::core::mem::size_of::<DOECap__bindgen_ty_3>() - 4usize];
    [
        "Alignment of DOECap__bindgen_ty_3",
    ][::core::mem::align_of::<DOECap__bindgen_ty_3>() - 1usize];
    [
        "Offset of field: DOECap__bindgen_ty_3::busy",
    ][::core::mem::offset_of!(DOECap__bindgen_ty_3, busy) - 0usize];
    [
        "Offset of field: DOECap__bindgen_ty_3::intr",
    ][::core::mem::offset_of!(DOECap__bindgen_ty_3, intr) - 1usize];
    [
        "Offset of field: DOECap__bindgen_ty_3::error",
    ][::core::mem::offset_of!(DOECap__bindgen_ty_3, error) - 2usize];
    [
        "Offset of field: DOECap__bindgen_ty_3::ready",
    ][::core::mem::offset_of!(DOECap__bindgen_ty_3, ready) - 3usize];
};
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of DOECap"][::core::mem::size_of::<DOECap>() - 72usize];
    ["Alignment of DOECap"][::core::mem::align_of::<DOECap>() - 8usize];
    ["Offset of field: DOECap::pdev"][::core::mem::offset_of!(DOECap, pdev) - 0usize];
    [
        "Offset of field: DOECap::offset",
    ][::core::mem::offset_of!(DOECap, offset) - 8usize];
    ["Offset of field: DOECap::cap"][::core::mem::offset_of!(DOECap, cap) - 10usize];
    ["Offset of field: DOECap::ctrl"][::core::mem::offset_of!(DOECap, ctrl) - 14usize];
    [
        "Offset of field: DOECap::status",
    ][::core::mem::offset_of!(DOECap, status) - 17usize];
    [
        "Offset of field: DOECap::write_mbox",
    ][::core::mem::offset_of!(DOECap, write_mbox) - 24usize];
    [
        "Offset of field: DOECap::read_mbox",
    ][::core::mem::offset_of!(DOECap, read_mbox) - 32usize];
    [
        "Offset of field: DOECap::read_mbox_idx",
    ][::core::mem::offset_of!(DOECap, read_mbox_idx) - 40usize];
    [
        "Offset of field: DOECap::read_mbox_len",
    ][::core::mem::offset_of!(DOECap, read_mbox_len) - 44usize];
    [
        "Offset of field: DOECap::write_mbox_len",
    ][::core::mem::offset_of!(DOECap, write_mbox_len) - 48usize];
    [
        "Offset of field: DOECap::protocols",
    ][::core::mem::offset_of!(DOECap, protocols) - 56usize];
    [
        "Offset of field: DOECap::protocol_num",
    ][::core::mem::offset_of!(DOECap, protocol_num) - 64usize];
    [
        "Offset of field: DOECap::spdm_socket",
    ][::core::mem::offset_of!(DOECap, spdm_socket) - 68usize];
};
impl Default for DOECap {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn pcie_doe_init(
        pdev: *mut PCIDevice,
        doe_cap: *mut DOECap,
        offset: u16,
        protocols: *mut DOEProtocol,
        intr: bool,
        vec: u16,
    );
}
unsafe extern "C" {
    pub fn pcie_doe_fini(doe_cap: *mut DOECap);
}
unsafe extern "C" {
    pub fn pcie_doe_read_config(
        doe_cap: *mut DOECap,
        addr: u32,
        size: ::core::ffi::c_int,
        buf: *mut u32,
    ) -> bool;
}
unsafe extern "C" {
    pub fn pcie_doe_write_config(
        doe_cap: *mut DOECap,
        addr: u32,
        val: u32,
        size: ::core::ffi::c_int,
    );
}
unsafe extern "C" {
    pub fn pcie_doe_build_protocol(p: *mut DOEProtocol) -> u32;
}
unsafe extern "C" {
    pub fn pcie_doe_get_write_mbox_ptr(doe_cap: *mut DOECap) -> *mut ::core::ffi::c_void;
}
unsafe extern "C" {
    pub fn pcie_doe_set_rsp(doe_cap: *mut DOECap, rsp: *mut ::core::ffi::c_void);
}
unsafe extern "C" {
    pub fn pcie_doe_get_obj_len(obj: *mut ::core::ffi::c_void) -> u32;
}
pub const SpdmTransportType_SPDM_SOCKET_TRANSPORT_TYPE_UNSPEC: SpdmTransportType = SpdmTransportType(
    0,
);
pub const SpdmTransportType_SPDM_SOCKET_TRANSPORT_TYPE_MCTP: SpdmTransportType = SpdmTransportType(
    1,
);
pub const SpdmTransportType_SPDM_SOCKET_TRANSPORT_TYPE_PCI_DOE: SpdmTransportType = SpdmTransportType(
    2,
);
pub const SpdmTransportType_SPDM_SOCKET_TRANSPORT_TYPE_SCSI: SpdmTransportType = SpdmTransportType(
    3,
);
pub const SpdmTransportType_SPDM_SOCKET_TRANSPORT_TYPE_NVME: SpdmTransportType = SpdmTransportType(
    4,
);
pub const SpdmTransportType_SPDM_SOCKET_TRANSPORT_TYPE_MAX: SpdmTransportType = SpdmTransportType(
    5,
);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct SpdmTransportType(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PCIDeviceClass {
    pub parent_class: DeviceClass,
    pub realize: ::core::option::Option<
        unsafe extern "C" fn(dev: *mut PCIDevice, errp: *mut *mut Error),
    >,
    pub exit: PCIUnregisterFunc,
    pub config_read: PCIConfigReadFunc,
    pub config_write: PCIConfigWriteFunc,
    pub vendor_id: u16,
    pub device_id: u16,
    pub revision: u8,
    pub class_id: u16,
    pub subsystem_vendor_id: u16,
    pub subsystem_id: u16,
    pub romfile: *const ::core::ffi::c_char,
    pub sriov_vf_user_creatable: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIDeviceClass"][::core::mem::size_of::<PCIDeviceClass>() - 248usize];
    ["Alignment of PCIDeviceClass"][::core::mem::align_of::<PCIDeviceClass>() - 8usize];
    [
        "Offset of field: PCIDeviceClass::parent_class",
    ][::core::mem::offset_of!(PCIDeviceClass, parent_class) - 0usize];
    [
        "Offset of field: PCIDeviceClass::realize",
    ][::core::mem::offset_of!(PCIDeviceClass, realize) - 184usize];
    [
        "Offset of field: PCIDeviceClass::exit",
    ][::core::mem::offset_of!(PCIDeviceClass, exit) - 192usize];
    [
        "Offset of field: PCIDeviceClass::config_read",
    ][::core::mem::offset_of!(PCIDeviceClass, config_read) - 200usize];
    [
        "Offset of field: PCIDeviceClass::config_write",
    ][::core::mem::offset_of!(PCIDeviceClass, config_write) - 208usize];
    [
        "Offset of field: PCIDeviceClass::vendor_id",
    ][::core::mem::offset_of!(PCIDeviceClass, vendor_id) - 216usize];
    [
        "Offset of field: PCIDeviceClass::device_id",
    ][::core::mem::offset_of!(PCIDeviceClass, device_id) - 218usize];
    [
        "Offset of field: PCIDeviceClass::revision",
    ][::core::mem::offset_of!(PCIDeviceClass, revision) - 220usize];
    [
        "Offset of field: PCIDeviceClass::class_id",
    ][::core::mem::offset_of!(PCIDeviceClass, class_id) - 222usize];
    [
        "Offset of field: PCIDeviceClass::subsystem_vendor_id",
    ][::core::mem::offset_of!(PCIDeviceClass, subsystem_vendor_id) - 224usize];
    [
        "Offset of field: PCIDeviceClass::subsystem_id",
    ][::core::mem::offset_of!(PCIDeviceClass, subsystem_id) - 226usize];
    [
        "Offset of field: PCIDeviceClass::romfile",
    ][::core::mem::offset_of!(PCIDeviceClass, romfile) - 232usize];
    [
        "Offset of field: PCIDeviceClass::sriov_vf_user_creatable",
    ][::core::mem::offset_of!(PCIDeviceClass, sriov_vf_user_creatable) - 240usize];
};
impl Default for PCIDeviceClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const PCIReqIDType_PCI_REQ_ID_INVALID: PCIReqIDType = PCIReqIDType(0);
pub const PCIReqIDType_PCI_REQ_ID_BDF: PCIReqIDType = PCIReqIDType(1);
pub const PCIReqIDType_PCI_REQ_ID_SECONDARY_BUS: PCIReqIDType = PCIReqIDType(2);
pub const PCIReqIDType_PCI_REQ_ID_MAX: PCIReqIDType = PCIReqIDType(3);
#[repr(transparent)]
#[derive(Copy, Clone, Hash, PartialEq, Eq)]
pub struct PCIReqIDType(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Copy, Clone)]
pub struct PCIReqIDCache {
    pub dev: *mut PCIDevice,
    pub type_: PCIReqIDType,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIReqIDCache"][::core::mem::size_of::<PCIReqIDCache>() - 16usize];
    ["Alignment of PCIReqIDCache"][::core::mem::align_of::<PCIReqIDCache>() - 8usize];
    [
        "Offset of field: PCIReqIDCache::dev",
    ][::core::mem::offset_of!(PCIReqIDCache, dev) - 0usize];
    [
        "Offset of field: PCIReqIDCache::type_",
    ][::core::mem::offset_of!(PCIReqIDCache, type_) - 8usize];
};
impl Default for PCIReqIDCache {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[repr(align(16))]
#[derive(Copy, Clone)]
pub struct PCIDevice {
    pub qdev: DeviceState,
    pub partially_hotplugged: bool,
    pub enabled: bool,
    pub loadparm: *mut ::core::ffi::c_char,
    pub config: *mut u8,
    pub cmask: *mut u8,
    pub wmask: *mut u8,
    pub w1cmask: *mut u8,
    pub used: *mut u8,
    pub devfn: i32,
    pub requester_id_cache: PCIReqIDCache,
    pub name: [::core::ffi::c_char; 64usize],
    pub io_regions: [PCIIORegion; 7usize],
    pub bus_master_as: AddressSpace,
    pub is_master: bool,
    pub bus_master_container_region: MemoryRegion,
    pub bus_master_enable_region: MemoryRegion,
    pub config_read: PCIConfigReadFunc,
    pub config_write: PCIConfigWriteFunc,
    pub vga_regions: [*mut MemoryRegion; 3usize],
    pub has_vga: bool,
    pub irq_state: u8,
    pub cap_present: u32,
    pub pm_cap: u8,
    pub msix_cap: u8,
    pub msix_entries_nr: ::core::ffi::c_int,
    pub msix_table: *mut u8,
    pub msix_pba: *mut u8,
    pub irq_opaque: *mut ::core::ffi::c_void,
    pub msi_trigger: MSITriggerFunc,
    pub msi_prepare_message: MSIPrepareMessageFunc,
    pub msix_prepare_message: MSIxPrepareMessageFunc,
    pub msix_exclusive_bar: MemoryRegion,
    pub msix_table_mmio: MemoryRegion,
    pub msix_pba_mmio: MemoryRegion,
    pub msix_entry_used: *mut ::core::ffi::c_uint,
    pub msix_function_masked: bool,
    pub version_id: i32,
    pub msi_cap: u8,
    pub exp: PCIExpressDevice,
    pub shpc: *mut SHPCDevice,
    pub romfile: *mut ::core::ffi::c_char,
    pub romsize: u32,
    pub has_rom: bool,
    pub rom: MemoryRegion,
    pub rom_bar: i32,
    pub intx_routing_notifier: PCIINTxRoutingNotifier,
    pub msix_vector_use_notifier: MSIVectorUseNotifier,
    pub msix_vector_release_notifier: MSIVectorReleaseNotifier,
    pub msix_vector_poll_notifier: MSIVectorPollNotifier,
    pub spdm_port: u16,
    pub spdm_trans: SpdmTransportType,
    pub doe_spdm: DOECap,
    pub failover_pair_id: *mut ::core::ffi::c_char,
    pub acpi_index: u32,
    pub max_bounce_buffer_size: u32,
    pub sriov_pf: *mut ::core::ffi::c_char,
    pub dma_client_ops: *const PCIDMAClientOps,
    pub dma_client_opaque: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of PCIDevice"][::core::mem::size_of::<PCIDevice>() - 2784usize];
    ["Alignment of PCIDevice"][::core::mem::align_of::<PCIDevice>() - 16usize];
    [
        "Offset of field: PCIDevice::qdev",
    ][::core::mem::offset_of!(PCIDevice, qdev) - 0usize];
    [
        "Offset of field: PCIDevice::partially_hotplugged",
    ][::core::mem::offset_of!(PCIDevice, partially_hotplugged) - 152usize];
    [
        "Offset of field: PCIDevice::enabled",
    ][::core::mem::offset_of!(PCIDevice, enabled) - 153usize];
    [
        "Offset of field: PCIDevice::loadparm",
    ][::core::mem::offset_of!(PCIDevice, loadparm) - 160usize];
    [
        "Offset of field: PCIDevice::config",
    ][::core::mem::offset_of!(PCIDevice, config) - 168usize];
    [
        "Offset of field: PCIDevice::cmask",
    ][::core::mem::offset_of!(PCIDevice, cmask) - 176usize];
    [
        "Offset of field: PCIDevice::wmask",
    ][::core::mem::offset_of!(PCIDevice, wmask) - 184usize];
    [
        "Offset of field: PCIDevice::w1cmask",
    ][::core::mem::offset_of!(PCIDevice, w1cmask) - 192usize];
    [
        "Offset of field: PCIDevice::used",
    ][::core::mem::offset_of!(PCIDevice, used) - 200usize];
    [
        "Offset of field: PCIDevice::devfn",
    ][::core::mem::offset_of!(PCIDevice, devfn) - 208usize];
    [
        "Offset of field: PCIDevice::requester_id_cache",
    ][::core::mem::offset_of!(PCIDevice, requester_id_cache) - 216usize];
    [
        "Offset of field: PCIDevice::name",
    ][::core::mem::offset_of!(PCIDevice, name) - 232usize];
    [
        "Offset of field: PCIDevice::io_regions",
    ][::core::mem::offset_of!(PCIDevice, io_regions) - 296usize];
    [
        "Offset of field: PCIDevice::bus_master_as",
    ][::core::mem::offset_of!(PCIDevice, bus_master_as) - 576usize];
    [
        "Offset of field: PCIDevice::is_master",
    ][::core::mem::offset_of!(PCIDevice, is_master) - 736usize];
    [
        "Offset of field: PCIDevice::bus_master_container_region",
    ][::core::mem::offset_of!(PCIDevice, bus_master_container_region) - 752usize];
    [
        "Offset of field: PCIDevice::bus_master_enable_region",
    ][::core::mem::offset_of!(PCIDevice, bus_master_enable_region) - 1024usize];
    [
        "Offset of field: PCIDevice::config_read",
    ][::core::mem::offset_of!(PCIDevice, config_read) - 1296usize];
    [
        "Offset of field: PCIDevice::config_write",
    ][::core::mem::offset_of!(PCIDevice, config_write) - 1304usize];
    [
        "Offset of field: PCIDevice::vga_regions",
    ][::core::mem::offset_of!(PCIDevice, vga_regions) - 1312usize];
    [
        "Offset of field: PCIDevice::has_vga",
    ][::core::mem::offset_of!(PCIDevice, has_vga) - 1336usize];
    [
        "Offset of field: PCIDevice::irq_state",
    ][::core::mem::offset_of!(PCIDevice, irq_state) - 1337usize];
    [
        "Offset of field: PCIDevice::cap_present",
    ][::core::mem::offset_of!(PCIDevice, cap_present) - 1340usize];
    [
        "Offset of field: PCIDevice::pm_cap",
    ][::core::mem::offset_of!(PCIDevice, pm_cap) - 1344usize];
    [
        "Offset of field: PCIDevice::msix_cap",
    ][::core::mem::offset_of!(PCIDevice, msix_cap) - 1345usize];
    [
        "Offset of field: PCIDevice::msix_entries_nr",
    ][::core::mem::offset_of!(PCIDevice, msix_entries_nr) - 1348usize];
    [
        "Offset of field: PCIDevice::msix_table",
    ][::core::mem::offset_of!(PCIDevice, msix_table) - 1352usize];
    [
        "Offset of field: PCIDevice::msix_pba",
    ][::core::mem::offset_of!(PCIDevice, msix_pba) - 1360usize];
    [
        "Offset of field: PCIDevice::irq_opaque",
    ][::core::mem::offset_of!(PCIDevice, irq_opaque) - 1368usize];
    [
        "Offset of field: PCIDevice::msi_trigger",
    ][::core::mem::offset_of!(PCIDevice, msi_trigger) - 1376usize];
    [
        "Offset of field: PCIDevice::msi_prepare_message",
    ][::core::mem::offset_of!(PCIDevice, msi_prepare_message) - 1384usize];
    [
        "Offset of field: PCIDevice::msix_prepare_message",
    ][::core::mem::offset_of!(PCIDevice, msix_prepare_message) - 1392usize];
    [
        "Offset of field: PCIDevice::msix_exclusive_bar",
    ][::core::mem::offset_of!(PCIDevice, msix_exclusive_bar) - 1408usize];
    [
        "Offset of field: PCIDevice::msix_table_mmio",
    ][::core::mem::offset_of!(PCIDevice, msix_table_mmio) - 1680usize];
    [
        "Offset of field: PCIDevice::msix_pba_mmio",
    ][::core::mem::offset_of!(PCIDevice, msix_pba_mmio) - 1952usize];
    [
        "Offset of field: PCIDevice::msix_entry_used",
    ][::core::mem::offset_of!(PCIDevice, msix_entry_used) - 2224usize];
    [
        "Offset of field: PCIDevice::msix_function_masked",
    ][::core::mem::offset_of!(PCIDevice, msix_function_masked) - 2232usize];
    [
        "Offset of field: PCIDevice::version_id",
    ][::core::mem::offset_of!(PCIDevice, version_id) - 2236usize];
    [
        "Offset of field: PCIDevice::msi_cap",
    ][::core::mem::offset_of!(PCIDevice, msi_cap) - 2240usize];
    [
        "Offset of field: PCIDevice::exp",
    ][::core::mem::offset_of!(PCIDevice, exp) - 2248usize];
    [
        "Offset of field: PCIDevice::shpc",
    ][::core::mem::offset_of!(PCIDevice, shpc) - 2328usize];
    [
        "Offset of field: PCIDevice::romfile",
    ][::core::mem::offset_of!(PCIDevice, romfile) - 2336usize];
    [
        "Offset of field: PCIDevice::romsize",
    ][::core::mem::offset_of!(PCIDevice, romsize) - 2344usize];
    [
        "Offset of field: PCIDevice::has_rom",
    ][::core::mem::offset_of!(PCIDevice, has_rom) - 2348usize];
    [
        "Offset of field: PCIDevice::rom",
    ][::core::mem::offset_of!(PCIDevice, rom) - 2352usize];
    [
        "Offset of field: PCIDevice::rom_bar",
    ][::core::mem::offset_of!(PCIDevice, rom_bar) - 2624usize];
    [
        "Offset of field: PCIDevice::intx_routing_notifier",
    ][::core::mem::offset_of!(PCIDevice, intx_routing_notifier) - 2632usize];
    [
        "Offset of field: PCIDevice::msix_vector_use_notifier",
    ][::core::mem::offset_of!(PCIDevice, msix_vector_use_notifier) - 2640usize];
    [
        "Offset of field: PCIDevice::msix_vector_release_notifier",
    ][::core::mem::offset_of!(PCIDevice, msix_vector_release_notifier) - 2648usize];
    [
        "Offset of field: PCIDevice::msix_vector_poll_notifier",
    ][::core::mem::offset_of!(PCIDevice, msix_vector_poll_notifier) - 2656usize];
    [
        "Offset of field: PCIDevice::spdm_port",
    ][::core::mem::offset_of!(PCIDevice, spdm_port) - 2664usize];
    [
        "Offset of field: PCIDevice::spdm_trans",
    ][::core::mem::offset_of!(PCIDevice, spdm_trans) - 2668usize];
    [
        "Offset of field: PCIDevice::doe_spdm",
    ][::core::mem::offset_of!(PCIDevice, doe_spdm) - 2672usize];
    [
        "Offset of field: PCIDevice::failover_pair_id",
    ][::core::mem::offset_of!(PCIDevice, failover_pair_id) - 2744usize];
    [
        "Offset of field: PCIDevice::acpi_index",
    ][::core::mem::offset_of!(PCIDevice, acpi_index) - 2752usize];
    [
        "Offset of field: PCIDevice::max_bounce_buffer_size",
    ][::core::mem::offset_of!(PCIDevice, max_bounce_buffer_size) - 2756usize];
    [
        "Offset of field: PCIDevice::sriov_pf",
    ][::core::mem::offset_of!(PCIDevice, sriov_pf) - 2760usize];
    [
        "Offset of field: PCIDevice::dma_client_ops",
    ][::core::mem::offset_of!(PCIDevice, dma_client_ops) - 2768usize];
    [
        "Offset of field: PCIDevice::dma_client_opaque",
    ][::core::mem::offset_of!(PCIDevice, dma_client_opaque) - 2776usize];
};
impl Default for PCIDevice {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn pci_requester_id(dev: *mut PCIDevice) -> u16;
}
unsafe extern "C" {
    pub static vmstate_pci_device: VMStateDescription;
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct QemuDevicePluginLayout {
    pub name: *const ::core::ffi::c_char,
    pub size: usize,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of QemuDevicePluginLayout",
    ][::core::mem::size_of::<QemuDevicePluginLayout>() - 16usize];
    [
        "Alignment of QemuDevicePluginLayout",
    ][::core::mem::align_of::<QemuDevicePluginLayout>() - 8usize];
    [
        "Offset of field: QemuDevicePluginLayout::name",
    ][::core::mem::offset_of!(QemuDevicePluginLayout, name) - 0usize];
    [
        "Offset of field: QemuDevicePluginLayout::size",
    ][::core::mem::offset_of!(QemuDevicePluginLayout, size) - 8usize];
};
impl Default for QemuDevicePluginLayout {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct QemuDevicePluginInfo {
    pub abi: u32,
    pub version: *const ::core::ffi::c_char,
    pub stamp: *const ::core::ffi::c_char,
    pub target: *const ::core::ffi::c_char,
    pub replace: bool,
    pub layout: *const QemuDevicePluginLayout,
    pub nr_layout: usize,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of QemuDevicePluginInfo",
    ][::core::mem::size_of::<QemuDevicePluginInfo>() - 56usize];
    [
        "Alignment of QemuDevicePluginInfo",
    ][::core::mem::align_of::<QemuDevicePluginInfo>() - 8usize];
    [
        "Offset of field: QemuDevicePluginInfo::abi",
    ][::core::mem::offset_of!(QemuDevicePluginInfo, abi) - 0usize];
    [
        "Offset of field: QemuDevicePluginInfo::version",
    ][::core::mem::offset_of!(QemuDevicePluginInfo, version) - 8usize];
    [
        "Offset of field: QemuDevicePluginInfo::stamp",
    ][::core::mem::offset_of!(QemuDevicePluginInfo, stamp) - 16usize];
    [
        "Offset of field: QemuDevicePluginInfo::target",
    ][::core::mem::offset_of!(QemuDevicePluginInfo, target) - 24usize];
    [
        "Offset of field: QemuDevicePluginInfo::replace",
    ][::core::mem::offset_of!(QemuDevicePluginInfo, replace) - 32usize];
    [
        "Offset of field: QemuDevicePluginInfo::layout",
    ][::core::mem::offset_of!(QemuDevicePluginInfo, layout) - 40usize];
    [
        "Offset of field: QemuDevicePluginInfo::nr_layout",
    ][::core::mem::offset_of!(QemuDevicePluginInfo, nr_layout) - 48usize];
};
impl Default for QemuDevicePluginInfo {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type QemuDevicePluginInitFn = ::core::option::Option<
    unsafe extern "C" fn(
        info: *const QemuDevicePluginInfo,
        errp: *mut *mut Error,
    ) -> bool,
>;
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct ArmSMMUv3Info {
    pub ats: bool,
    pub pri: bool,
    pub accel: bool,
    pub httu: u8,
    pub pmcg: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ArmSMMUv3Info"][::core::mem::size_of::<ArmSMMUv3Info>() - 5usize];
    ["Alignment of ArmSMMUv3Info"][::core::mem::align_of::<ArmSMMUv3Info>() - 1usize];
    [
        "Offset of field: ArmSMMUv3Info::ats",
    ][::core::mem::offset_of!(ArmSMMUv3Info, ats) - 0usize];
    [
        "Offset of field: ArmSMMUv3Info::pri",
    ][::core::mem::offset_of!(ArmSMMUv3Info, pri) - 1usize];
    [
        "Offset of field: ArmSMMUv3Info::accel",
    ][::core::mem::offset_of!(ArmSMMUv3Info, accel) - 2usize];
    [
        "Offset of field: ArmSMMUv3Info::httu",
    ][::core::mem::offset_of!(ArmSMMUv3Info, httu) - 3usize];
    [
        "Offset of field: ArmSMMUv3Info::pmcg",
    ][::core::mem::offset_of!(ArmSMMUv3Info, pmcg) - 4usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct ArmSMMUv3InterfaceClass {
    pub parent_class: InterfaceClass,
    pub get_info: ::core::option::Option<
        unsafe extern "C" fn(obj: *mut Object, info: *mut ArmSMMUv3Info),
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of ArmSMMUv3InterfaceClass",
    ][::core::mem::size_of::<ArmSMMUv3InterfaceClass>() - 112usize];
    [
        "Alignment of ArmSMMUv3InterfaceClass",
    ][::core::mem::align_of::<ArmSMMUv3InterfaceClass>() - 8usize];
    [
        "Offset of field: ArmSMMUv3InterfaceClass::parent_class",
    ][::core::mem::offset_of!(ArmSMMUv3InterfaceClass, parent_class) - 0usize];
    [
        "Offset of field: ArmSMMUv3InterfaceClass::get_info",
    ][::core::mem::offset_of!(ArmSMMUv3InterfaceClass, get_info) - 104usize];
};
impl Default for ArmSMMUv3InterfaceClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct IntelIOMMUInfo {
    pub aw_bits: u8,
    pub satc: bool,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IntelIOMMUInfo"][::core::mem::size_of::<IntelIOMMUInfo>() - 2usize];
    ["Alignment of IntelIOMMUInfo"][::core::mem::align_of::<IntelIOMMUInfo>() - 1usize];
    [
        "Offset of field: IntelIOMMUInfo::aw_bits",
    ][::core::mem::offset_of!(IntelIOMMUInfo, aw_bits) - 0usize];
    [
        "Offset of field: IntelIOMMUInfo::satc",
    ][::core::mem::offset_of!(IntelIOMMUInfo, satc) - 1usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IntelIOMMUInterfaceClass {
    pub parent_class: InterfaceClass,
    pub get_info: ::core::option::Option<
        unsafe extern "C" fn(obj: *mut Object, info: *mut IntelIOMMUInfo),
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of IntelIOMMUInterfaceClass",
    ][::core::mem::size_of::<IntelIOMMUInterfaceClass>() - 112usize];
    [
        "Alignment of IntelIOMMUInterfaceClass",
    ][::core::mem::align_of::<IntelIOMMUInterfaceClass>() - 8usize];
    [
        "Offset of field: IntelIOMMUInterfaceClass::parent_class",
    ][::core::mem::offset_of!(IntelIOMMUInterfaceClass, parent_class) - 0usize];
    [
        "Offset of field: IntelIOMMUInterfaceClass::get_info",
    ][::core::mem::offset_of!(IntelIOMMUInterfaceClass, get_info) - 104usize];
};
impl Default for IntelIOMMUInterfaceClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct MSIMessage {
    pub address: u64,
    pub data: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of MSIMessage"][::core::mem::size_of::<MSIMessage>() - 16usize];
    ["Alignment of MSIMessage"][::core::mem::align_of::<MSIMessage>() - 8usize];
    [
        "Offset of field: MSIMessage::address",
    ][::core::mem::offset_of!(MSIMessage, address) - 0usize];
    [
        "Offset of field: MSIMessage::data",
    ][::core::mem::offset_of!(MSIMessage, data) - 8usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct X86IOMMUClass {
    pub parent: SysBusDeviceClass,
    pub realize: DeviceRealize,
    pub int_remap: ::core::option::Option<
        unsafe extern "C" fn(
            iommu: *mut X86IOMMUState,
            src: *mut MSIMessage,
            dst: *mut MSIMessage,
            sid: u16,
        ) -> ::core::ffi::c_int,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of X86IOMMUClass"][::core::mem::size_of::<X86IOMMUClass>() - 208usize];
    ["Alignment of X86IOMMUClass"][::core::mem::align_of::<X86IOMMUClass>() - 8usize];
    [
        "Offset of field: X86IOMMUClass::parent",
    ][::core::mem::offset_of!(X86IOMMUClass, parent) - 0usize];
    [
        "Offset of field: X86IOMMUClass::realize",
    ][::core::mem::offset_of!(X86IOMMUClass, realize) - 192usize];
    [
        "Offset of field: X86IOMMUClass::int_remap",
    ][::core::mem::offset_of!(X86IOMMUClass, int_remap) - 200usize];
};
impl Default for X86IOMMUClass {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type iec_notify_fn = ::core::option::Option<
    unsafe extern "C" fn(
        private: *mut ::core::ffi::c_void,
        global: bool,
        index: u32,
        mask: u32,
    ),
>;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IEC_Notifier {
    pub iec_notify: iec_notify_fn,
    pub private: *mut ::core::ffi::c_void,
    pub list: IEC_Notifier__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct IEC_Notifier__bindgen_ty_1 {
    pub le_next: *mut IEC_Notifier,
    pub le_prev: *mut *mut IEC_Notifier,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of IEC_Notifier__bindgen_ty_1",
    ][::core::mem::size_of::<IEC_Notifier__bindgen_ty_1>() - 16usize];
    [
        "Alignment of IEC_Notifier__bindgen_ty_1",
    ][::core::mem::align_of::<IEC_Notifier__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: IEC_Notifier__bindgen_ty_1::le_next",
    ][::core::mem::offset_of!(IEC_Notifier__bindgen_ty_1, le_next) - 0usize];
    [
        "Offset of field: IEC_Notifier__bindgen_ty_1::le_prev",
    ][::core::mem::offset_of!(IEC_Notifier__bindgen_ty_1, le_prev) - 8usize];
};
impl Default for IEC_Notifier__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of IEC_Notifier"][::core::mem::size_of::<IEC_Notifier>() - 32usize];
    ["Alignment of IEC_Notifier"][::core::mem::align_of::<IEC_Notifier>() - 8usize];
    [
        "Offset of field: IEC_Notifier::iec_notify",
    ][::core::mem::offset_of!(IEC_Notifier, iec_notify) - 0usize];
    [
        "Offset of field: IEC_Notifier::private",
    ][::core::mem::offset_of!(IEC_Notifier, private) - 8usize];
    [
        "Offset of field: IEC_Notifier::list",
    ][::core::mem::offset_of!(IEC_Notifier, list) - 16usize];
};
impl Default for IEC_Notifier {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct X86IOMMUState {
    pub busdev: SysBusDevice,
    pub intr_supported: OnOffAuto,
    pub dt_supported: bool,
    pub dma_translation: bool,
    pub iec_notifiers: X86IOMMUState__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct X86IOMMUState__bindgen_ty_1 {
    pub lh_first: *mut IEC_Notifier,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of X86IOMMUState__bindgen_ty_1",
    ][::core::mem::size_of::<X86IOMMUState__bindgen_ty_1>() - 8usize];
    [
        "Alignment of X86IOMMUState__bindgen_ty_1",
    ][::core::mem::align_of::<X86IOMMUState__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: X86IOMMUState__bindgen_ty_1::lh_first",
    ][::core::mem::offset_of!(X86IOMMUState__bindgen_ty_1, lh_first) - 0usize];
};
impl Default for X86IOMMUState__bindgen_ty_1 {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of X86IOMMUState"][::core::mem::size_of::<X86IOMMUState>() - 824usize];
    ["Alignment of X86IOMMUState"][::core::mem::align_of::<X86IOMMUState>() - 8usize];
    [
        "Offset of field: X86IOMMUState::busdev",
    ][::core::mem::offset_of!(X86IOMMUState, busdev) - 0usize];
    [
        "Offset of field: X86IOMMUState::intr_supported",
    ][::core::mem::offset_of!(X86IOMMUState, intr_supported) - 808usize];
    [
        "Offset of field: X86IOMMUState::dt_supported",
    ][::core::mem::offset_of!(X86IOMMUState, dt_supported) - 812usize];
    [
        "Offset of field: X86IOMMUState::dma_translation",
    ][::core::mem::offset_of!(X86IOMMUState, dma_translation) - 813usize];
    [
        "Offset of field: X86IOMMUState::iec_notifiers",
    ][::core::mem::offset_of!(X86IOMMUState, iec_notifiers) - 816usize];
};
impl Default for X86IOMMUState {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type __int128_t = i128;
pub const QEMU_STAMP: &::core::ffi::CStr = c"_3baffb598960aa3aaa0bea5b85abe5d7b4d898b0";
