using System.Text;

namespace EventBus.Proof;

/// <summary>Creates the fuzz messages of a seed. A message depends only on the seed and its number.</summary>
internal sealed class FuzzGenerator(int seed)
{
    /// <summary>The name of the event whose JSON is read as a type.</summary>
    public const string TypedEvent = "fuzz.placed";

    /// <summary>The first word of the names of untyped events.</summary>
    public const string WildWord = "wild";

    // Percentages. Most messages have a valid envelope, so that the code after the first check is tested too.
    private static readonly (FuzzKind Kind, int Share)[] Shares =
    [
        (FuzzKind.Plain, 12),
        (FuzzKind.Numbers, 9),
        (FuzzKind.WrongTypes, 10),
        (FuzzKind.Duplicates, 6),
        (FuzzKind.Encodings, 8),
        (FuzzKind.ControlCharacters, 9),
        (FuzzKind.Nesting, 6),
        (FuzzKind.Sizes, 4),
        (FuzzKind.Attributes, 14),
        (FuzzKind.Headers, 8),
        (FuzzKind.Garbage, 6),
        (FuzzKind.WireFormat, 5),
        (FuzzKind.Hostile, 1),
        (FuzzKind.Copy, 1),
        (FuzzKind.Twin, 1),
    ];

    private static readonly string[] Names =
        [
            "id",
            "type",
            "source",
            "time",
            "specversion",
            "datacontenttype",
            "eventversion",
            "correlationid",
            "causationid",
            "partitionkey",
            "subject",
            "traceparent",
            "tracestate",
            "dataschema"
        ];

    /// <summary>Returns true if a header may be nested as deeply as the backend allows.</summary>
    public static bool IsDeepest(long number) => number % 5_000 == 2_500;

    public FuzzMessage Make(long number)
    {
        var chance = new Chance(seed, number);
        var kind = KindOf(chance.Below(100));
        kind = IsDeepest(number) ? FuzzKind.Hostile : kind;
        if (kind is FuzzKind.Copy or FuzzKind.Twin && number > 0)
        {
            var earlier = number - 1 - chance.Below((int)Math.Min(number, 200));
            return kind == FuzzKind.Copy ? Copy(earlier) : Write(number, FuzzKind.Twin, chance, FuzzMark.Of(earlier), earlier);
        }

        return Write(number, kind is FuzzKind.Copy or FuzzKind.Twin ? FuzzKind.Plain : kind, chance, FuzzMark.Of(number), FuzzMark.None);
    }

    private static FuzzKind KindOf(int point)
    {
        foreach (var (kind, share) in Shares)
        {
            if ((point -= share) < 0)
            {
                return kind;
            }
        }

        throw new InvalidOperationException("The sum of the shares is not 100.");
    }

    /// <summary>
    /// Returns the same bytes as an earlier message. A message that is itself a copy is created as a normal message
    /// here, so that there are no chains of copies.
    /// </summary>
    private FuzzMessage Copy(long number)
    {
        var chance = new Chance(seed, number);
        var kind = KindOf(chance.Below(100));
        kind = IsDeepest(number) ? FuzzKind.Hostile : kind;
        return kind is FuzzKind.Copy or FuzzKind.Twin
            ? Write(number, FuzzKind.Copy, chance, FuzzMark.Of(number), FuzzMark.None)
            : Write(number, kind, chance, FuzzMark.Of(number), FuzzMark.None);
    }

    private static FuzzMessage Write(long number, FuzzKind kind, Chance chance, string id, long twinOf)
    {
        var typed = !chance.Hits(4);
        var message = new FuzzMessage
        {
            Number = number,
            Kind = kind,
            Route = Utf8(typed ? TypedEvent : $"{WildWord}.{chance.Pick("thing", "other.thing", "a", "x-1")}"),
            Attributes = [],
            Body = FuzzBody.Write(kind, number, chance),
            Chance = chance,
            TwinOf = twinOf,
        };

        // A program without CloudEvents sends only a body. A message that is not JSON carries its number in its id.
        if (kind is not (FuzzKind.Plain or FuzzKind.Numbers or FuzzKind.WrongTypes or FuzzKind.Duplicates) || chance.Hits(2))
        {
            message.Set("specversion", "1.0"u8.ToArray());
            message.Set("id", Utf8(id));
            message.Set("type", message.Route);
            message.Set("source", "fuzzer"u8.ToArray());
            message.Set("time", "2026-11-29T12:00:00Z"u8.ToArray());
            message.Headers.Add((Utf8("mark"), Utf8(FuzzMark.Of(number))));
        }

        switch (kind)
        {
            case FuzzKind.Attributes:
                SpoilAttributes(message, chance);
                break;
            case FuzzKind.Headers:
                AddHeaders(message, chance);
                break;
            case FuzzKind.ControlCharacters when chance.Hits(2):
                // Texts that a log may contain.
                message.Set(
                    chance.Pick("id", "type", "datacontenttype", "source", "correlationid", "causationid"),
                    [.. Utf8(id), .. FuzzTexts.Control(chance)]);
                break;
            default:
                break;
        }

        return message;
    }

    private static void SpoilAttributes(FuzzMessage message, Chance chance)
    {
        for (var i = chance.Pick(1, 1, 1, 2, 3, 8); i > 0; i--)
        {
            var name = chance.Pick(Names);
            var own = name switch
            {
                "time" => Utf8(chance.Pick(
                    "",
                    "yesterday",
                    "0001-01-01T00:00:00Z",
                    "9999-12-31T23:59:59.9999999Z",
                    "9999-12-31T23:59:59-14:00",
                    "2026-11-29",
                    "1764417600",
                    "-1",
                    "2026-06-30T23:59:60Z",
                    FuzzMark.Canary)),
                "eventversion" =>
                    Utf8(chance.Pick("", "0", "1", "2", "-1", "1.0", "1e0", " 1", "01", "2147483647", "2147483648", "٢", FuzzMark.Canary)),
                "specversion" => Utf8(chance.Pick("", "0.3", "1", "1.1", "2.0", "1.0 ", FuzzMark.Canary)),
                "datacontenttype" => Utf8(chance.Pick(
                    "",
                    "application/json; charset=utf-8",
                    "application/json;charset=utf-16",
                    "text/plain",
                    "application/x+json",
                    "APPLICATION/JSON",
                    "application/cloudevents+json",
                    "application/octet-stream",
                    ";",
                    "json")),
                "type" => Utf8(chance.Pick(
                    "",
                    "fuzz",
                    "fuzz.",
                    ".placed",
                    "Fuzz.Placed",
                    "fuzz placed",
                    "fuzz.placed.",
                    "fuzz..placed",
                    "*",
                    "#",
                    "fuzz.#",
                    "fuzz/placed",
                    "fuzz:placed",
                    "füzz.placed")),
                "traceparent" => Utf8(chance.Pick(
                    "",
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    "00-00000000000000000000000000000000-0000000000000000-00",
                    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    FuzzMark.Canary)),
                _ => [],
            };
            var value = chance.Hits(2) ? own : FuzzTexts.Odd(chance);

            // Two messages never have the same id by accident: only twins share an id.
            value = name == "id" && value.Length > 0 ? [.. Utf8(FuzzMark.Of(message.Number)), .. value] : value;
            if (chance.Hits(8))
            {
                message.Set(name, null);
            }
            else if (chance.Hits(8))
            {
                // The attribute occurs twice if the backend allows that.
                message.Attributes.Add((name, value));
            }
            else
            {
                message.Set(name, value);
            }
        }
    }

    private static void AddHeaders(FuzzMessage message, Chance chance)
    {
        var many = chance.Pick(1, 1, 2, 5, 20, 63, 64, 65, 300);
        var large = chance.Hits(6);
        for (var i = 0; i < many; i++)
        {
            var name = chance.Below(6) switch
            {
                0 => FuzzTexts.Odd(chance),
                1 => Utf8(chance.Pick(
                    "traceparent",
                    "tracestate",
                    "data",
                    "id",
                    "x-request-id",
                    "content-type",
                    "headers",
                    "data_base64",
                    "comexampleextension",
                    "dataref")),
                2 => Utf8(chance.Pick(
                    "cloudEvents_extension",
                    "cloudEvents:extension",
                    "ce-id",
                    "header:",
                    "eventbus-error",
                    "eventbus-starts",
                    "eventbus-reason",
                    "eventbus-subscription",
                    "x-death",
                    "x-first-death-queue",
                    "x-delivery-count")),
                _ => Utf8($"h{i}"),
            };
            var value = large && i == 0 ? Utf8(FuzzMark.Canary + new string('h', chance.Pick(1_000, 8_000, 16_385, 40_000, 65_537)))
                : chance.Hits(4) ? FuzzTexts.Odd(chance)
                : Utf8($"{FuzzMark.Canary}{i}");
            message.Headers.Add((name, value));
        }
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
