using System.Text.Json;
using System.Text.Json.Serialization;

namespace EventBus;

public sealed class JsonSizeEstimatorTests
{
    public static IEnumerable<TheoryDataRow<object>> Samples =>
    [
        new(new Flat(Guid.NewGuid(), "o-1", null, 12.34m, long.MinValue, true, DateTimeOffset.MaxValue, 1.7976931348623157E+308, 'x')),
        new(new Flat(Guid.Empty, "\u0001\u2028\"\\äöü𝄞", new string('ß', 50), decimal.MinValue, 0, null, default, -0.1, '"')),
        new(new Nested(
            "n",
            new Inner("deep", [1, 2, 3]),
            [new Inner("a", []), null, new Inner("b", [int.MinValue])],
            [1, 2, 3],
            ["x", null, "\u0000"])),
    ];

    [Theory]
    [MemberData(nameof(Samples))]
    public void UpperBound_AnyValue_IsNeverBelowTheRealSize(object value)
    {
        var info = JsonSerializerOptions.Web.GetTypeInfo(value.GetType());
        var probe = JsonSizeEstimator.For(info);

        Assert.NotNull(probe);
        Assert.InRange(probe.UpperBound(value), JsonSerializer.SerializeToUtf8Bytes(value, info).Length, 5_000);
    }

    /// <summary>In a long text, a plain character counts as one byte, and any other as its longest encoding.</summary>
    [Theory]
    [InlineData('x', 0, 100_000)]
    [InlineData('x', 100, 100_600)]
    [InlineData('x', 600, 600_000)]
    [InlineData('ü', 0, 600_000)]
    public void UpperBound_LongText_GrowsWithItsSize(char letter, int quotes, int expected)
    {
        var value = new OrderPlaced(new string('"', quotes) + new string(letter, 100_000 - quotes));
        var info = JsonSerializerOptions.Web.GetTypeInfo(typeof(OrderPlaced));

        var bound = JsonSizeEstimator.For(info)!.UpperBound(value);

        Assert.InRange(bound, JsonSerializer.SerializeToUtf8Bytes(value, info).Length, expected + 1_000);
    }

    [Theory]
    [InlineData(typeof(WithMap))]
    [InlineData(typeof(WithConverter))]
    [InlineData(typeof(WithAnything))]
    public void For_UnboundedType_ReturnsNoEstimator(Type type) =>
        Assert.Null(JsonSizeEstimator.For(JsonSerializerOptions.Web.GetTypeInfo(type)));

    private sealed record Flat(
        Guid Id,
        string Text,
        string? Maybe,
        decimal Money,
        long Number,
        bool? Flag,
        DateTimeOffset Time,
        double Real,
        char Letter);

    private sealed record Inner(string Name, IReadOnlyList<int> Numbers);

    private sealed record Nested(string Name, Inner One, List<Inner?> Many, byte[] Bytes, string?[] Texts);

    private sealed record WithMap(Dictionary<string, string> Map);

    private sealed record WithConverter([property: JsonConverter(typeof(JsonStringEnumConverter<DayOfWeek>))] DayOfWeek Day);

    private sealed record WithAnything(object Value);
}
