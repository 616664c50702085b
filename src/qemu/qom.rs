// SPDX-License-Identifier: GPL-2.0-or-later
//! QOM objects: references to QEMU's, and types of our own.
//!
//! An instance of a device written in Rust is a [`Qom<T>`]: the parent's C structure, the properties, and
//! the Rust state `T`, in one block that QEMU allocates. Rust code only ever sees `&Qom<T>`, from any thread.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_void};
use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, size_of};
use core::ops::Deref;
use core::ptr::{self, NonNull};

use qemu_sys as sys;

use super::error::{Error, Result};
use super::property::{Default as PropertyDefault, PropertyTable};

/// A structure of QEMU that is an object, as a reference to it: never moved, made or dropped by Rust.
///
/// # Safety
/// `Self` is a transparent wrapper of `Raw`, and `Raw` begins with a QOM `Object` of type `TYPE_NAME`.
pub unsafe trait ObjectLike: Sized {
    /// The C structure.
    type Raw;
    /// Its QOM type.
    const TYPE_NAME: &'static CStr;

    /// The C structure's address.
    fn as_ptr(&self) -> *mut Self::Raw {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// The object as such.
    fn object(&self) -> &Object {
        // SAFETY: every `Raw` begins with an `Object`, by the trait's promise.
        unsafe { Object::from_ptr(self.as_ptr().cast()) }
    }

    /// A reference from a pointer that QEMU gave.
    ///
    /// # Safety
    /// `raw` points to a live object of this type, which lives for `'a`.
    unsafe fn from_ptr<'a>(raw: *mut Self::Raw) -> &'a Self {
        // SAFETY: the wrapper is transparent; the rest is the caller's promise.
        unsafe { &*raw.cast::<Self>() }
    }
}

/// Declares references to QEMU's structures.
macro_rules! object_wrappers {
    ($($(#[$doc:meta])* $name:ident($raw:ty) = $type_name:expr;)+) => {$(
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $name(core::cell::UnsafeCell<$raw>);

        // SAFETY: transparent, and the structure begins with an object of this type.
        unsafe impl $crate::qemu::qom::ObjectLike for $name {
            type Raw = $raw;
            const TYPE_NAME: &'static core::ffi::CStr = $type_name;
        }
        // SAFETY: only a reference to a structure of QEMU, which has its own rules for locking: the
        // methods that need the BQL say so, and check it.
        unsafe impl Send for $name {}
        // SAFETY: as above.
        unsafe impl Sync for $name {}
    )+};
}
pub(super) use object_wrappers;

object_wrappers! {
    /// Any object.
    Object(sys::Object) = c"object";
    /// A device.
    Device(sys::DeviceState) = c"device";
}

impl Object {
    /// Name of the object's type.
    pub fn type_name(&self) -> &str {
        // SAFETY: the name lives as long as the type, which is never removed.
        unsafe { CStr::from_ptr(sys::object_get_typename(self.as_ptr())) }.to_str().unwrap_or("?")
    }

    /// Path in the object tree, for messages: `/machine/peripheral/smmu0`.
    pub fn path(&self) -> String {
        // SAFETY: returns a string that the caller owns, or null for an object outside the tree.
        let raw = unsafe { sys::object_get_canonical_path(self.as_ptr()) };
        take_string(raw).unwrap_or_else(|| "(no path)".into())
    }

    /// The object as a `B`, if it is one.
    pub fn downcast<B: ObjectLike>(&self) -> Option<&B> {
        // SAFETY: a live object and a type name.
        let cast = unsafe { sys::object_dynamic_cast(self.as_ptr(), B::TYPE_NAME.as_ptr()) };
        // SAFETY: QEMU checked the type; the object lives as long as `self`.
        (!cast.is_null()).then(|| unsafe { B::from_ptr(cast.cast()) })
    }

    /// The object as a device of ours, if it is one.
    pub fn downcast_qom<T: DeviceImpl>(&self) -> Option<&Qom<T>> {
        // SAFETY: a live object and a type name.
        let cast = unsafe { sys::object_dynamic_cast(self.as_ptr(), T::TYPE_NAME.as_ptr()) };
        // SAFETY: QEMU checked the type.
        (!cast.is_null()).then(|| unsafe { Qom::from_raw(cast.cast()) })
    }

    /// A boolean property; an error if there is none of that name.
    pub fn property_bool(&self, name: &CStr) -> Result<bool> {
        // SAFETY: a live object, a C string, a place for an error.
        Error::catch(|errp| unsafe { sys::object_property_get_bool(self.as_ptr(), name.as_ptr(), errp) })
    }

    /// Whether the object has a property of that name.
    pub fn has_property(&self, name: &CStr) -> bool {
        // SAFETY: a live object and a C string.
        !unsafe { sys::object_property_find(self.as_ptr(), name.as_ptr()) }.is_null()
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path(), self.type_name())
    }
}

/// An owned reference to an object: it does not go away while this exists. Drop it under the BQL.
pub struct ObjectRef<B: ObjectLike>(NonNull<B::Raw>, PhantomData<B>);

// SAFETY: the reference count is atomic, the object's methods have their own rules.
unsafe impl<B: ObjectLike> Send for ObjectRef<B> {}
// SAFETY: as above.
unsafe impl<B: ObjectLike> Sync for ObjectRef<B> {}

impl<B: ObjectLike> ObjectRef<B> {
    /// Takes a reference.
    pub fn new(object: &B) -> Self {
        // SAFETY: a live object; the count is atomic.
        unsafe { sys::object_ref(object.as_ptr().cast()) };
        // A reference is never null.
        Self(NonNull::from(object).cast(), PhantomData)
    }
}

impl<B: ObjectLike> Clone for ObjectRef<B> {
    fn clone(&self) -> Self {
        Self::new(self)
    }
}

impl<B: ObjectLike> Deref for ObjectRef<B> {
    type Target = B;

    fn deref(&self) -> &B {
        // SAFETY: the reference count keeps the object alive.
        unsafe { B::from_ptr(self.0.as_ptr()) }
    }
}

impl<B: ObjectLike> Drop for ObjectRef<B> {
    fn drop(&mut self) {
        // SAFETY: gives back what `new` took.
        unsafe { sys::object_unref(self.0.as_ptr().cast()) };
    }
}

/// Takes over a string that QEMU allocated.
pub(super) fn take_string(raw: *mut c_char) -> Option<String> {
    if raw.is_null() {
        return None;
    }
    // SAFETY: a C string that this function owns.
    let text = unsafe { CStr::from_ptr(raw) }.to_string_lossy().into_owned();
    // SAFETY: allocated by glib, not used after this.
    unsafe { sys::g_free(raw.cast()) };
    Some(text)
}

/// A structure of QEMU that devices of ours derive from.
///
/// # Safety
/// `Class` is the class structure of the type, and begins with `DeviceClass`; `install` stores callbacks
/// that match it.
pub unsafe trait Parent: ObjectLike + 'static {
    /// The class structure.
    type Class;

    /// Stores the realize and unrealize thunks of `T`.
    ///
    /// # Safety
    /// `class` is the class of `T` under construction.
    unsafe fn install<T: DeviceImpl<Parent = Self>>(class: *mut Self::Class);
}

/// A device type. Implement it for the Rust state; instances are [`Qom<Self>`].
///
/// Callbacks get a shared reference, since QEMU calls from many threads: state that changes sits in a
/// `Mutex` or in atomics. No callback may keep a lock while it calls into QEMU.
pub trait DeviceImpl: Sized + Send + Sync + 'static {
    /// The parent's structure: [`PciDevice`](super::PciDevice) or [`SysBusDevice`](super::SysBusDevice).
    type Parent: Parent;
    /// The properties, a structure that [`properties!`](crate::qemu::properties) declared.
    type Properties: PropertyTable;

    /// Name of the type.
    const TYPE_NAME: &'static CStr;
    /// Name of the parent type, where it is not the type of the structure itself.
    const PARENT_NAME: &'static CStr = <Self::Parent as ObjectLike>::TYPE_NAME;
    /// One line for `-device help`.
    const DESCRIPTION: &'static CStr;
    /// Names of interfaces that the type implements.
    const INTERFACES: &'static [&'static CStr] = &[];
    /// Whether `-device` may name the type.
    const USER_CREATABLE: bool = true;
    /// Whether the device can come and go while the machine runs.
    const HOTPLUGGABLE: bool = true;
    /// Defaults that differ from those that the property table has.
    const DEFAULTS: &'static [(&'static CStr, PropertyDefault)] = &[];

    /// The state of a new instance. Properties are not set yet.
    fn new() -> Self;

    /// What a new instance needs from QEMU besides its state: memory regions and interrupt outputs of
    /// system bus devices, which boards look for before the device is realized.
    fn instance_init(_this: &Qom<Self>) {}

    /// Properties are set: check them, and come into being. An error is shown to the user and undoes the device.
    fn realize(this: &Qom<Self>) -> Result<()>;

    /// The device goes away: undo what `realize` did.
    fn unrealize(_this: &Qom<Self>) {}

    /// What the class has besides: PCI ids, migration, reset, read-only properties, interfaces.
    fn class_init(_class: &mut ClassInit<'_, Self>) {}
}

/// An instance of the device type `T`.
#[repr(C)]
pub struct Qom<T: DeviceImpl> {
    parent: UnsafeCell<<T::Parent as ObjectLike>::Raw>,
    properties: T::Properties,
    state: ManuallyDrop<T>,
}

// SAFETY: `T` and the properties are `Sync`; the parent's structure is QEMU's, behind the methods of its
// wrapper, which have their own rules.
unsafe impl<T: DeviceImpl> Sync for Qom<T> {}

impl<T: DeviceImpl> Deref for Qom<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state
    }
}

impl<T: DeviceImpl> Qom<T> {
    /// The properties' values.
    pub fn properties(&self) -> &T::Properties {
        &self.properties
    }

    /// The parent's part: `this.parent()` has the methods of the bus that the device sits on.
    pub fn parent(&self) -> &T::Parent {
        // SAFETY: initialised by QEMU before any of our code sees the instance.
        unsafe { T::Parent::from_ptr(self.parent.get()) }
    }

    /// The device as such.
    pub fn device(&self) -> &Device {
        // SAFETY: every parent begins with a device.
        unsafe { Device::from_ptr(self.parent.get().cast()) }
    }

    /// The object as such.
    pub fn object(&self) -> &Object {
        self.parent().object()
    }

    /// The address to hand to QEMU as a callback's context.
    pub(super) fn as_opaque(&self) -> *mut c_void {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// The instance that a callback's context names.
    ///
    /// # Safety
    /// `raw` came from [`Self::as_opaque`] or is an object of type `T`, and is initialised; it lives for `'a`.
    pub(super) unsafe fn from_raw<'a>(raw: *mut c_void) -> &'a Self {
        // SAFETY: the caller's promise.
        unsafe { &*raw.cast::<Self>() }
    }

    const PROPERTIES_OFFSET: usize = core::mem::offset_of!(Self, properties);
}

/// A class under construction.
pub struct ClassInit<'a, T: DeviceImpl> {
    class: *mut sys::ObjectClass,
    _type: PhantomData<&'a fn() -> T>,
}

impl<T: DeviceImpl> ClassInit<'_, T> {
    pub(super) fn device_class(&mut self) -> &mut sys::DeviceClass {
        // SAFETY: the class of a device begins with `DeviceClass`, and only this thread sees it yet.
        unsafe { &mut *self.class.cast() }
    }

    pub(super) fn parent_class(&mut self) -> &mut <T::Parent as Parent>::Class {
        // SAFETY: as above, with the parent's class structure.
        unsafe { &mut *self.class.cast() }
    }

    /// The class structure of an interface that `T::INTERFACES` names.
    ///
    /// # Safety
    /// `I` is that interface's class structure.
    pub unsafe fn interface<I>(&mut self, name: &CStr) -> Option<&mut I> {
        // SAFETY: a class and a type name.
        let class = unsafe { sys::object_class_dynamic_cast(self.class, name.as_ptr()) };
        // SAFETY: QEMU found the interface; its structure is the caller's promise.
        unsafe { class.cast::<I>().as_mut() }
    }

    /// A read-only string property, computed when it is read: `qom-get`, `info qom-tree`.
    pub fn string_property<F: Fn(&Qom<T>) -> String + Copy + 'static>(
        &mut self,
        name: &CStr,
        description: &CStr,
        _get: F,
    ) {
        unsafe extern "C" fn get<T: DeviceImpl, F: Fn(&Qom<T>) -> String + Copy>(
            object: *mut sys::Object,
            _errp: *mut *mut sys::Error,
        ) -> *mut c_char {
            // SAFETY: the property belongs to this class, so the object is a `T`.
            let this = unsafe { Qom::<T>::from_raw(object.cast()) };
            let text = super::c_string(&conjure::<F>()(this));
            let bytes = text.as_bytes_with_nul();
            // SAFETY: copies the string; the result belongs to the caller.
            unsafe { sys::g_strndup(bytes.as_ptr().cast(), bytes.len() as sys::gsize) }
        }
        // SAFETY: a class under construction, C strings, a matching getter.
        unsafe {
            sys::object_class_property_add_str(self.class, name.as_ptr(), Some(get::<T, F>), None);
        }
        self.describe(name, description);
    }

    /// A read-only boolean property, computed when it is read.
    pub fn bool_property<F: Fn(&Qom<T>) -> bool + Copy + 'static>(
        &mut self,
        name: &CStr,
        description: &CStr,
        _get: F,
    ) {
        unsafe extern "C" fn get<T: DeviceImpl, F: Fn(&Qom<T>) -> bool + Copy>(
            object: *mut sys::Object,
            _errp: *mut *mut sys::Error,
        ) -> bool {
            // SAFETY: the property belongs to this class, so the object is a `T`.
            conjure::<F>()(unsafe { Qom::<T>::from_raw(object.cast()) })
        }
        // SAFETY: a class under construction, C strings, a matching getter.
        unsafe {
            sys::object_class_property_add_bool(self.class, name.as_ptr(), Some(get::<T, F>), None);
        }
        self.describe(name, description);
    }

    /// A boolean property that may be set at any time, also while the machine runs: `qom-set`. Under the BQL.
    pub fn switch_property<G, S>(&mut self, name: &CStr, description: &CStr, _get: G, _set: S)
    where
        G: Fn(&Qom<T>) -> bool + Copy + 'static,
        S: Fn(&Qom<T>, bool) + Copy + 'static,
    {
        unsafe extern "C" fn get<T: DeviceImpl, G: Fn(&Qom<T>) -> bool + Copy>(
            object: *mut sys::Object,
            _errp: *mut *mut sys::Error,
        ) -> bool {
            // SAFETY: the property belongs to this class, so the object is a `T`.
            conjure::<G>()(unsafe { Qom::<T>::from_raw(object.cast()) })
        }
        unsafe extern "C" fn set<T: DeviceImpl, S: Fn(&Qom<T>, bool) + Copy>(
            object: *mut sys::Object,
            value: bool,
            _errp: *mut *mut sys::Error,
        ) {
            // SAFETY: as above.
            conjure::<S>()(unsafe { Qom::<T>::from_raw(object.cast()) }, value);
        }
        // SAFETY: a class under construction, C strings, a matching getter and setter.
        unsafe {
            sys::object_class_property_add_bool(
                self.class,
                name.as_ptr(),
                Some(get::<T, G>),
                Some(set::<T, S>),
            );
        }
        self.describe(name, description);
    }

    /// A read-only unsigned property, computed when it is read.
    pub fn uint_property<F: Fn(&Qom<T>) -> u64 + Copy + 'static>(
        &mut self,
        name: &CStr,
        description: &CStr,
        _get: F,
    ) {
        unsafe extern "C" fn get<T: DeviceImpl, F: Fn(&Qom<T>) -> u64 + Copy>(
            object: *mut sys::Object,
            visitor: *mut sys::Visitor,
            name: *const c_char,
            _opaque: *mut c_void,
            errp: *mut *mut sys::Error,
        ) {
            // SAFETY: the property belongs to this class, so the object is a `T`.
            let mut value = conjure::<F>()(unsafe { Qom::<T>::from_raw(object.cast()) });
            // SAFETY: the visitor, the name and the error place are QEMU's.
            unsafe { sys::visit_type_uint64(visitor, name, &mut value, errp) };
        }
        // SAFETY: a class under construction, C strings, a matching getter.
        unsafe {
            sys::object_class_property_add(
                self.class,
                name.as_ptr(),
                c"uint64".as_ptr(),
                Some(get::<T, F>),
                None,
                None,
                ptr::null_mut(),
            );
        }
        self.describe(name, description);
    }

    fn describe(&mut self, name: &CStr, text: &CStr) {
        // SAFETY: a class under construction that has the property.
        unsafe { sys::object_class_property_set_description(self.class, name.as_ptr(), text.as_ptr()) };
    }
}

/// A value of a closure type that captures nothing.
pub(super) fn conjure<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0, "the closure must not capture anything") };
    // SAFETY: no bytes to read, and the caller had a value of this type, which is `Copy`.
    unsafe { NonNull::<F>::dangling().read() }
}

/// Registers the device type, unless its parent or an interface of it is missing from this QEMU.
/// Returns whether it is there.
pub fn register<T: DeviceImpl>() -> bool {
    if !type_exists(T::PARENT_NAME) || !T::INTERFACES.iter().all(|name| type_exists(name)) {
        return false;
    }
    let mut interfaces: Vec<sys::InterfaceInfo> =
        T::INTERFACES.iter().map(|name| sys::InterfaceInfo { type_: name.as_ptr() }).collect();
    interfaces.push(sys::InterfaceInfo { type_: ptr::null() });
    let info = sys::TypeInfo {
        name: T::TYPE_NAME.as_ptr(),
        parent: T::PARENT_NAME.as_ptr(),
        instance_size: size_of::<Qom<T>>(),
        instance_align: align_of::<Qom<T>>(),
        instance_init: Some(instance_init::<T>),
        instance_finalize: Some(instance_finalize::<T>),
        class_init: Some(class_init::<T>),
        interfaces: interfaces.as_ptr(),
        ..sys::TypeInfo::default()
    };
    // SAFETY: QEMU copies names and interfaces; the callbacks match the type's structures.
    unsafe { sys::type_register_static(&info) };
    true
}

/// Whether this QEMU has a type of that name.
pub fn type_exists(name: &CStr) -> bool {
    // SAFETY: a C string.
    !unsafe { sys::object_class_by_name(name.as_ptr()) }.is_null()
}

unsafe extern "C" fn instance_init<T: DeviceImpl>(object: *mut sys::Object) {
    let this = object.cast::<Qom<T>>();
    // SAFETY: memory of the right size and alignment; the parent is initialised, the properties have
    // their defaults (or are zero, which is valid for them), only the state is missing.
    unsafe { (&raw mut (*this).state).write(ManuallyDrop::new(T::new())) };
    // SAFETY: complete now.
    T::instance_init(unsafe { &*this });
}

unsafe extern "C" fn instance_finalize<T: DeviceImpl>(object: *mut sys::Object) {
    let this = object.cast::<Qom<T>>();
    // SAFETY: the last reference is gone; the state was written by `instance_init` and is dropped once.
    unsafe { ManuallyDrop::drop(&mut (*this).state) };
}

unsafe extern "C" fn class_init<T: DeviceImpl>(class: *mut sys::ObjectClass, _data: *const c_void) {
    let mut init = ClassInit::<T> { class, _type: PhantomData };
    let table = super::property::build::<T>(Qom::<T>::PROPERTIES_OFFSET);
    let device_class = init.device_class();
    device_class.desc = T::DESCRIPTION.as_ptr();
    device_class.user_creatable = T::USER_CREATABLE;
    device_class.hotpluggable = T::HOTPLUGGABLE;
    // What `-device help` lists these devices under.
    device_class.categories[0] |= 1 << sys::DeviceCategory_DEVICE_CATEGORY_MISC.0;
    // QEMU takes no empty table.
    if !table.is_empty() {
        // SAFETY: the table lives until the end of the process, its offsets lie in the instance.
        unsafe { sys::device_class_set_props_n(device_class, table.as_ptr(), table.len()) };
    }
    super::property::describe::<T>(class);
    // SAFETY: the class of `T` under construction.
    unsafe { T::Parent::install::<T>(class.cast()) };
    T::class_init(&mut init);
}
