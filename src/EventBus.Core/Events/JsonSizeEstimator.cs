using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>
/// Computes an upper bound of an event's size as JSON without serializing it, so that the size check is cheap in
/// memory.
/// </summary>
/// <remarks>
/// Reads only members of variable length. If no bound can be computed cheaply, the result is <see cref="Unknown"/>, and
/// the event is serialized once to measure it.
/// </remarks>
internal sealed class JsonSizeEstimator
{
    public const int Unknown = int.MaxValue;

    private readonly int fixedBytes;
    private readonly JsonTextSize texts;

    // Strings are separate because most members of variable length are strings, and their length needs no delegate
    // call.
    private readonly Func<object, object?>[] strings;
    private readonly (Func<object, object?> Get, JsonSizeBound Bound)[] others;

    /// <summary>Creates an estimator.</summary>
    /// <param name="fixedBytes">The bytes of the names, the punctuation and the members of fixed length.</param>
    /// <param name="texts">Computes the size of texts.</param>
    /// <param name="strings">The getters of the members that are strings.</param>
    /// <param name="others">For each other member of variable length, its getter and the function of its bound.</param>
    public JsonSizeEstimator(
        int fixedBytes,
        JsonTextSize texts,
        Func<object, object?>[] strings,
        (Func<object, object?> Get, JsonSizeBound Bound)[] others)
    {
        this.fixedBytes = fixedBytes;
        this.texts = texts;
        this.strings = strings;
        this.others = others;
    }

    /// <summary>Creates the estimator of a type; null if the size cannot be bounded.</summary>
    public static JsonSizeEstimator? For(JsonTypeInfo type) => JsonSizeEstimatorFactory.Create(type);

    /// <summary>Returns true if an event certainly has at most this size in bytes.</summary>
    /// <remarks>The texts are read only if their lengths do not prove it.</remarks>
    public bool IsAtMost(object value, int limit) =>
        UpperBound(value, readsTexts: false) <= limit || UpperBound(value, readsTexts: true) <= limit;

    /// <summary>Returns the maximum size in bytes, or <see cref="Unknown"/> or more.</summary>
    /// <param name="value">The event.</param>
    /// <param name="readsTexts">False to use only the lengths of texts: a higher bound, without reading them.</param>
    public long UpperBound(object value, bool readsTexts)
    {
        long sum = fixedBytes;
        foreach (var get in strings)
        {
            if (get(value) is { } text)
            {
                sum += BoundOf(texts, text, readsTexts);
            }
        }

        foreach (var (get, bound) in others)
        {
            if (get(value) is { } member)
            {
                sum += bound(member, readsTexts);
            }
        }

        return sum;
    }

    /// <summary>Computes the bound of a string, without quotes.</summary>
    public static long BoundOf(JsonTextSize texts, object text, bool readsTexts) =>
        readsTexts ? texts.Of((string)text) : texts.BoundOf(((string)text).Length);
}
