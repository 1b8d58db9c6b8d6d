import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import java.util.jar.JarFile;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/**
 * Writes golden vectors: for every message class in the jars given, in every version, what Kafka itself encodes.
 *
 * Values are put in through the setters of Kafka's generated classes, guided by the SCHEMA_n constants of those classes, and the expected
 * values are written by Kafka's JSON converters. Nothing here knows holdwater's tables.
 */
public final class GoldenVectors {
    private static final String STRING_FILLER = "abcdefghij".repeat(19);
    private final PrintStream out;
    private int counter;
    private boolean nulls;
    private boolean sawNullable;
    private final List<String> records = new ArrayList<>();

    private GoldenVectors(PrintStream out) {
        this.out = out;
    }

    public static void main(String[] jars) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (ApiKeys key : ApiKeys.values()) {
            if (!key.hasValidVersion()) continue;
            for (short version = key.oldestVersion(); version <= key.latestVersion(true); version++) {
                out.printf("{\"api\":%d,\"name\":\"%s\",\"version\":%d,\"request_header\":%d,\"response_header\":%d,\"unstable\":%b}%n",
                    key.id, key.name, version, key.requestHeaderVersion(version), key.responseHeaderVersion(version),
                    version > key.latestVersion(false));
            }
        }
        GoldenVectors vectors = new GoldenVectors(out);
        for (String name : messageClasses(jars)) vectors.message(Class.forName(name));
        out.flush();
    }

    private static TreeSet<String> messageClasses(String[] jars) throws Exception {
        TreeSet<String> names = new TreeSet<>();
        for (String jar : jars) {
            try (JarFile file = new JarFile(jar)) {
                file.stream().map(entry -> entry.getName())
                    .filter(name -> name.endsWith("JsonConverter.class") && !name.contains("$"))
                    .forEach(name -> names.add(name.substring(0, name.length() - "JsonConverter.class".length()).replace('/', '.')));
            }
        }
        return names;
    }

    private void message(Class<?> type) throws Exception {
        Message blank = (Message) type.getConstructor().newInstance();
        for (short version = blank.lowestSupportedVersion(); version <= blank.highestSupportedVersion(); version++) {
            Schema schema = ((Schema[]) type.getField("SCHEMAS").get(null))[version];
            counter = version;
            sawNullable = false;
            records.clear();
            nulls = false;
            vector(type, version, "set", (Message) filled(type, schema));
            if (sawNullable) {
                nulls = true;
                vector(type, version, "null", (Message) filled(type, schema));
            }
            vector(type, version, "default", (Message) type.getConstructor().newInstance());
        }
    }

    private void vector(Class<?> type, short version, String variant, Message message) throws Exception {
        String name = type.getSimpleName();
        byte[] bytes = encode(message, version);
        Message again = (Message) type.getConstructor().newInstance();
        ByteBuffer left = ByteBuffer.wrap(bytes);
        again.read(new ByteBufferAccessor(left), version);
        if (left.hasRemaining()) throw new IllegalStateException(name + " v" + version + " does not read back");
        out.printf("{\"message\":\"%s\",\"version\":%d,\"variant\":\"%s\",\"bytes\":\"%s\",\"json\":%s%s%s}%n", name, version, variant,
            HexFormat.of().formatHex(bytes), json(type, message, version), recordsIn(variant), frame(type, message, version));
    }

    /** The contents of the records fields, in the order of the fields; the JSON converter writes their size only. */
    private String recordsIn(String variant) {
        return records.isEmpty() || !variant.equals("set") ? "" : ",\"records\":[\"" + String.join("\",\"", records) + "\"]";
    }

    private static byte[] encode(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining()) throw new IllegalStateException("size and bytes differ");
        return buffer.array();
    }

    /** For records of the metadata log and of the coordinators' logs: the key or value with Kafka's framing. */
    private static String frame(Class<?> type, Message message, short version) {
        String name = type.getName();
        if (name.startsWith("org.apache.kafka.coordinator.")) {
            byte[] framed = name.endsWith("Key") ? MessageUtil.toCoordinatorTypePrefixedBytes((ApiMessage) message)
                : MessageUtil.toVersionPrefixedBytes(version, message);
            return ",\"frame\":\"" + HexFormat.of().formatHex(framed) + "\"";
        }
        if (!name.startsWith("org.apache.kafka.common.metadata.")) return "";
        ApiMessageAndVersion record = new ApiMessageAndVersion((ApiMessage) message, version);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(MetadataRecordSerde.INSTANCE.recordSize(record, cache));
        MetadataRecordSerde.INSTANCE.write(record, cache, new ByteBufferAccessor(buffer));
        return ",\"frame\":\"" + HexFormat.of().formatHex(buffer.array()) + "\"";
    }

    private static JsonNode json(Class<?> type, Message message, short version) throws Exception {
        Class<?> converter = Class.forName(type.getName() + "JsonConverter");
        return (JsonNode) converter.getMethod("write", type, short.class, boolean.class).invoke(null, message, version, false);
    }

    private Object filled(Class<?> type, Schema schema) throws Exception {
        Object struct = type.getConstructor().newInstance();
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                for (Field field : tagged.fields().values()) set(struct, field);
            } else {
                set(struct, bound.def);
            }
        }
        return struct;
    }

    private void set(Object struct, Field field) throws Exception {
        Method setter = method(struct.getClass(), "set" + plain(field.name), 1);
        Object standard = method(struct.getClass(), plain(field.name), 0).invoke(struct);
        sawNullable |= field.type.isNullable();
        Object value = null;
        if (!(nulls && field.type.isNullable())) {
            do {
                value = value(setter.getGenericParameterTypes()[0], field.type);
            } while (value.equals(standard));
        }
        try {
            setter.invoke(struct, value);
        } catch (InvocationTargetException error) {
            throw new IllegalStateException(struct.getClass() + " " + field.name, error.getCause());
        }
    }

    private static String plain(String name) {
        return name.replace("_", "");
    }

    private static Method method(Class<?> type, String name, int parameters) {
        for (Method method : type.getMethods()) {
            if (method.getName().equalsIgnoreCase(name) && method.getParameterCount() == parameters) return method;
        }
        throw new IllegalStateException(type + " has no " + name);
    }

    @SuppressWarnings("unchecked")
    private Object value(Type javaType, org.apache.kafka.common.protocol.types.Type type) throws Exception {
        if (type.isArray()) {
            Class<?> raw = (Class<?>) (javaType instanceof ParameterizedType p ? p.getRawType() : javaType);
            Collection<Object> list = raw == List.class ? new ArrayList<>() : (Collection<Object>) raw.getConstructor().newInstance();
            Type parameterized = javaType instanceof ParameterizedType ? javaType : raw.getGenericSuperclass();
            Type element = ((ParameterizedType) parameterized).getActualTypeArguments()[0];
            for (int i = 0; i < 2; i++) list.add(value(element, type.arrayElementType().get()));
            return list;
        }
        if (type instanceof Schema schema) return filled((Class<?>) javaType, schema);
        int n = ++counter;
        boolean odd = n % 2 == 1;
        return switch (type.toString()) {
            case "BOOLEAN" -> odd;
            case "INT8" -> (byte) (odd ? n : -n);
            case "INT16" -> (short) (odd ? 300 + n : -300 - n);
            case "UINT16" -> 60000 + n;
            case "INT32" -> odd ? 70000 + n : -70000 - n;
            case "UINT32" -> 3000000000L + n;
            case "INT64" -> odd ? 5000000000L + n : -5000000000L - n;
            case "FLOAT64" -> n + 0.25;
            case "UUID" -> new Uuid(0x0123456789abcdefL + n, -n);
            default -> variable(javaType, type.toString(), n);
        };
    }

    private Object variable(Type javaType, String type, int n) {
        String text = n % 7 == 0 ? "long" + n + STRING_FILLER : "é-" + n;
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (type.endsWith("STRING")) return text;
        if (type.endsWith("RECORDS")) {
            records.add(HexFormat.of().formatHex(bytes));
            return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
        }
        if (type.endsWith("BYTES")) return javaType == ByteBuffer.class ? ByteBuffer.wrap(bytes) : bytes;
        throw new IllegalStateException("type " + type);
    }
}
