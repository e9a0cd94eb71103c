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
        new(new WithMaps(
            new() { ["plain"] = "x", ["\"ß\""] = null, [""] = "\\" },
            new() { ["a"] = int.MinValue },
            new SortedDictionary<string, Inner?> { ["one"] = new Inner("\n", [1]), ["none"] = null })),
    ];

    [Theory]
    [MemberData(nameof(Samples))]
    public void UpperBound_AnyValue_IsNeverBelowTheRealSize(object value)
    {
        var info = JsonSerializerOptions.Web.GetTypeInfo(value.GetType());
        var probe = JsonSizeEstimator.For(info);

        Assert.NotNull(probe);
        var size = JsonSerializer.SerializeToUtf8Bytes(value, info).Length;
        Assert.InRange(probe.UpperBound(value, readsTexts: true), size, 5_000);
        Assert.InRange(probe.UpperBound(value, readsTexts: false), size, 5_000);
        Assert.False(probe.IsAtMost(value, size - 1));
    }

    /// <summary>The bound of a long text is its size as JSON, so that it decides about both limits.</summary>
    [Theory]
    [InlineData('x', 0)]
    [InlineData('x', 100)]
    [InlineData('x', 600)]
    [InlineData('x', 50_000)]
    [InlineData('ü', 0)]
    [InlineData('漢', 7)]
    [InlineData('\\', 1)]
    [InlineData('\ud800', 0)]
    public void UpperBound_LongText_IsItsSize(char letter, int quotes)
    {
        var value = new OrderPlaced(new string('"', quotes) + new string(letter, 100_000 - quotes));
        var info = JsonSerializerOptions.Web.GetTypeInfo(typeof(OrderPlaced));

        var bound = JsonSizeEstimator.For(info)!.UpperBound(value, readsTexts: true);

        var size = JsonSerializer.SerializeToUtf8Bytes(value, info).Length;
        Assert.InRange(bound, size, size + 100);
    }

    /// <summary>A text that is short enough whatever it contains is not read.</summary>
    [Fact]
    public void IsAtMost_ShortTexts_ComparesTheirLengths()
    {
        var sizes = JsonSizeEstimator.For(JsonSerializerOptions.Web.GetTypeInfo(typeof(OrderPlaced)))!;
        var value = new OrderPlaced(new string('x', 10_000));

        Assert.InRange(sizes.UpperBound(value, readsTexts: false), 60_000, 60_100);
        Assert.InRange(sizes.UpperBound(value, readsTexts: true), 10_000, 10_100);
        Assert.True(sizes.IsAtMost(value, 10_100));
        Assert.False(sizes.IsAtMost(value, 10_000));
    }

    [Theory]
    [InlineData(typeof(WithNumberedMap))]
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

    private sealed record WithMaps(
        Dictionary<string, string?> Texts,
        Dictionary<string, int> Numbers,
        IDictionary<string, Inner?> Others);

    private sealed record WithNumberedMap(Dictionary<int, string> Map);

    private sealed record WithConverter([property: JsonConverter(typeof(JsonStringEnumConverter<DayOfWeek>))] DayOfWeek Day);

    private sealed record WithAnything(object Value);
}
