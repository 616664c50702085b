/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * late-reference: holds a reference to a device, and gives it back on a thread
 * without QEMU's big lock, half a second after the device was unplugged. That is
 * what an iothread does whose transfer to the device's BAR ends then.
 */
#include "qemu/osdep.h"
#include "qemu/device-plugin.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "qapi/error.h"
#include "hw/core/qdev-properties.h"

#define TYPE_LATE_REFERENCE "late-reference"
OBJECT_DECLARE_SIMPLE_TYPE(LateReference, LATE_REFERENCE)

struct LateReference {
    DeviceState parent_obj;

    char *target;
    Object *object;
    QemuThread thread;
    bool given_back;
    bool over;
};

/* The device is taken apart */
static void late_gone(Object *object, const char *name, void *opaque)
{
    LateReference *s = opaque;

    qatomic_set(&s->over, qatomic_read(&s->given_back) && bql_locked());
}

static void *late_thread(void *opaque)
{
    LateReference *s = opaque;

    rcu_register_thread();
    while (qatomic_read(&DEVICE(s->object)->realized)) {
        g_usleep(1000);
    }
    /* QEMU's own references are gone by then */
    g_usleep(500 * 1000);
    qatomic_set(&s->given_back, true);
    object_unref(s->object);
    rcu_unregister_thread();
    return NULL;
}

static void late_realize(DeviceState *dev, Error **errp)
{
    LateReference *s = LATE_REFERENCE(dev);

    s->object = s->target ? object_resolve_path(s->target, NULL) : NULL;
    if (!s->object || !object_dynamic_cast(s->object, TYPE_DEVICE)) {
        error_setg(errp, "target: there is no such device");
        return;
    }
    object_property_add(s->object, TYPE_LATE_REFERENCE, "bool", NULL, NULL, late_gone, s);
    object_ref(s->object);
    qemu_thread_create(&s->thread, TYPE_LATE_REFERENCE, late_thread, s, QEMU_THREAD_DETACHED);
}

static bool late_over(Object *object, Error **errp)
{
    return qatomic_read(&LATE_REFERENCE(object)->over);
}

static const Property late_properties[] = {
    DEFINE_PROP_STRING("target", LateReference, target),
};

static void late_class_init(ObjectClass *class, const void *data)
{
    DeviceClass *dc = DEVICE_CLASS(class);

    dc->realize = late_realize;
    dc->hotpluggable = false;
    device_class_set_props(dc, late_properties);
    /* The device is gone, after the reference was given back, under the lock */
    object_class_property_add_bool(class, "over", late_over, NULL);
}

static const TypeInfo late_type = {
    .name = TYPE_LATE_REFERENCE,
    .parent = TYPE_DEVICE,
    .instance_size = sizeof(LateReference),
    .class_init = late_class_init,
};

bool qemu_device_plugin_init(const QemuDevicePluginInfo *info, Error **errp)
{
    if (info->abi != QEMU_DEVICE_PLUGIN_ABI) {
        error_setg(errp, "built for another QEMU");
        return false;
    }
    type_register_static(&late_type);
    return true;
}
