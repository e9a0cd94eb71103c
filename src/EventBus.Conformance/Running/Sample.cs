using System.Text;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Provides sample events and keys for the scenarios of stores.</summary>
internal static class Sample
{
    public const string Subscription = "mail";

    /// <summary>2^53: a store that converts it and the next number to floating point cannot distinguish them.</summary>
    public const long Huge = 9_007_199_254_740_992;

    /// <summary>
    /// Unusual keys that occur in practice, and keys that contain the separators and placeholders of a store.
    /// </summary>
    public static IReadOnlyList<string> UnusualKeys { get; } =
        [
            "a",
            "A",
            "a ",
            "a:b",
            "{a}",
            "~",
            "a~b",
            "*",
            "a%",
            "a_",
            "a'b",
            "a\"b",
            "a\\b",
            "a\nb",
            "ä",
            "a\u0308",
            "日本",
            "😀",
            "0",
            "00",
            "null",
            "a,b",
            "[a]",
            new string('k', 256)
        ];

    /// <summary>Events with every attribute, with values at their limits and with unusual values.</summary>
    public static IReadOnlyList<Envelope> Envelopes { get; } =
    [
        Event("plain"),
        new(new EnvelopeAttributes { Id = "empty", Name = "order.placed" }, []),
        new(
            new EnvelopeAttributes
            {
                Id = "full",
                Name = "order-line.shipped.again",
                Version = 7,
                Key = "customer-1",
                Time = new DateTimeOffset(2026, 2, 3, 4, 5, 6, TimeSpan.Zero).AddTicks(1_234_567),
                CorrelationId = "correlation",
                CausationId = "causation",
                IdIsDerived = true,
                TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                TraceState = "a=1,b=2",
                Source = "/services/shop",
                Headers = new Dictionary<string, string> { ["tenant"] = "blue", ["größe"] = "\"ß\" 😀 \\ \n", ["empty"] = "" },
            },
            """{"name":"Grüße 😀"}"""u8.ToArray()),
        new(new EnvelopeAttributes
        {
            Id = "unreadable",
            Name = "order.placed",
            ContentType = "application/octet-stream",
            Defect = "It is no JSON: \"\u0001\" 😀"
        }, [0, 255, 13, 10, 34, 128]),
        new(
            new EnvelopeAttributes { Id = "large", Name = "order.placed", Key = "k" },
            [.. Enumerable.Range(0, 200 * 1024).Select(i => (byte)(i * 31))]),
        new(new EnvelopeAttributes { Id = new string('i', 128), Name = "order.placed" }, "1"u8.ToArray()),
        .. UnusualKeys.Select((key, i) => new Envelope(
            new EnvelopeAttributes { Id = $"odd-{i} ~{{}}:%/'\"ü😀", Name = "order.placed", Key = key },
            "1"u8.ToArray())),
    ];

    public static Envelope Event(string id, string name = "order.placed") =>
        new(new EnvelopeAttributes { Id = id, Name = name }, Encoding.UTF8.GetBytes($"\"{id}\""));
}
