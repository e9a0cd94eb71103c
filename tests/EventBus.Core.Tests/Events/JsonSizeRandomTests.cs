using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;

namespace EventBus;

/// <summary>Compares the bounds of random events with their size as JSON.</summary>
public sealed class JsonSizeRandomTests
{
    private const int Events = 2_000;

    private readonly RandomTexts texts = new(seed: 20);

    public static TheoryData<string, JsonSerializerOptions> Options => new()
    {
        { "web", JsonSerializerOptions.Web },
        { "general", JsonSerializerOptions.Default },
        {
            "relaxed, without nulls, snake case",
            new JsonSerializerOptions
            {
                TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
                Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
                DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
                PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
            }
        },
        {
            "numbers as texts, an encoder that keeps other characters",
            new JsonSerializerOptions
            {
                TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
                NumberHandling = JsonNumberHandling.WriteAsString,
                Encoder = JavaScriptEncoder.Create(UnicodeRanges.Cyrillic),
            }
        },
    };

    [Theory]
    [MemberData(nameof(Options), DisableDiscoveryEnumeration = true)]
    public void IsAtMost_RandomEvents_IsNeverTrueBelowTheirSize(string what, JsonSerializerOptions options)
    {
        var sizes = JsonSizeEstimator.For(options.GetTypeInfo(typeof(Shipment)));
        Assert.NotNull(sizes);

        for (var i = 0; i < Events; i++)
        {
            var value = NextShipment();
            var size = JsonSerializer.SerializeToUtf8Bytes(value, options).Length;

            Assert.False(sizes.IsAtMost(value, size - 1), $"{what}: {JsonSerializer.Serialize(value, options)}");
            Assert.True(sizes.UpperBound(value, readsTexts: false) >= size, $"{what}: {JsonSerializer.Serialize(value, options)}");
        }
    }

    private Shipment NextShipment() => new(
        Text(),
        Maybe(Text),
        texts.Next(0, 2) == 0 ? null : texts.Next(int.MinValue, int.MaxValue) / 7m,
        texts.Next(0, 2) == 0 ? null : new Label(Text()),
        (char)texts.Next(0, 0x1_0000),
        Maybe(NextParcel),
        Many(() => Maybe(NextParcel)),
        Many(() => KeyValuePair.Create($"{texts.Next(0, 1_000_000)}{Text()}", Maybe(NextParcel))).DistinctBy(each => each.Key)
            .ToDictionary());

    private Parcel NextParcel() => new(
        Text(),
        [.. Many(() => Maybe(Text))],
        [.. Many(() => texts.Next(int.MinValue, int.MaxValue))],
        [.. Many(() => (byte)texts.Next(0, 256))],
        Many(() => KeyValuePair.Create($"{texts.Next(0, 1_000_000)}{Text()}", Maybe(Text))).DistinctBy(each => each.Key).ToDictionary(),
        Many(() => KeyValuePair.Create($"{texts.Next(0, 1_000_000)}", texts.Next(0, 2) == 0)).DistinctBy(each => each.Key).ToDictionary());

    private string Text() => texts.Next(most: 30);

    private T? Maybe<T>(Func<T> make)
        where T : class => texts.Next(0, 3) == 0 ? null : make();

    private List<T> Many<T>(Func<T> make) => [.. Enumerable.Range(0, texts.Next(0, 4)).Select(_ => make())];

    internal sealed record Shipment(
        string Text,
        string? Maybe,
        decimal? Weight,
        Label? Label,
        char Letter,
        Parcel? Inner,
        List<Parcel?> Parts,
        IReadOnlyDictionary<string, Parcel?> ByName);

    internal readonly record struct Label(string Text);

    internal sealed record Parcel(
        string Text,
        IReadOnlyList<string?> Labels,
        int[] Numbers,
        byte[] Photo,
        Dictionary<string, string?> Notes,
        Dictionary<string, bool> Flags);
}
