using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace EventBus;

/// <summary>Compares the computed sizes of texts with those of the serializer.</summary>
public sealed class JsonTextSizeTests
{
    private const int Seed = 18;

    /// <summary>Encoders that the application can set.</summary>
    private static readonly (string Name, JavaScriptEncoder? Encoder)[] Encoders =
    [
        ("none", null),
        ("default", JavaScriptEncoder.Default),
        ("relaxed", JavaScriptEncoder.UnsafeRelaxedJsonEscaping),
        ("all", JavaScriptEncoder.Create(UnicodeRanges.All)),
        ("latin and cyrillic", JavaScriptEncoder.Create(UnicodeRanges.BasicLatin, UnicodeRanges.Cyrillic)),
        ("no plain character", JavaScriptEncoder.Create(UnicodeRanges.Cyrillic)),
    ];

    [Theory]
    [InlineData("none")]
    [InlineData("default")]
    [InlineData("relaxed")]
    [InlineData("all")]
    [InlineData("latin and cyrillic")]
    [InlineData("no plain character")]
    public void Of_EveryCharacter_IsItsSizeOrMore(string encoder)
    {
        var options = OptionsOf(encoder);
        var sizes = JsonTextSize.For(options.Encoder);

        for (var unit = 0; unit <= char.MaxValue; unit++)
        {
            // Longer than a vector, so that both ways of counting are used.
            AssertSize(sizes, options, new string((char)unit, 3));
            AssertSize(sizes, options, new string((char)unit, 67));
        }
    }

    [Theory]
    [InlineData("none")]
    [InlineData("default")]
    [InlineData("relaxed")]
    [InlineData("all")]
    [InlineData("latin and cyrillic")]
    [InlineData("no plain character")]
    public void Of_RandomTexts_IsTheirSizeOrMore(string encoder)
    {
        var options = OptionsOf(encoder);
        var sizes = JsonTextSize.For(options.Encoder);
        var texts = new RandomTexts(Seed);

        for (var i = 0; i < 2_000; i++)
        {
            AssertSize(sizes, options, texts.Next(i % 20 == 0 ? 20_000 : 200));
        }
    }

    /// <summary>Sums of counters that count in 16 bits do not overflow.</summary>
    [Theory]
    [InlineData('"')]
    [InlineData('\\')]
    [InlineData('漢')]
    public void Of_AMillionEscapes_IsTheirSize(char letter)
    {
        var options = OptionsOf("default");

        AssertSize(JsonTextSize.For(options.Encoder), options, new string(letter, 1_000_000));
    }

    private static JsonSerializerOptions OptionsOf(string encoder) =>
        new() { Encoder = Array.Find(Encoders, each => each.Name == encoder).Encoder };

    private static void AssertSize(JsonTextSize sizes, JsonSerializerOptions options, string text)
    {
        var expected = JsonSerializer.SerializeToUtf8Bytes(text, options).Length - 2;
        var size = sizes.Of(text);
        if (options.Encoder is null || options.Encoder == JavaScriptEncoder.Default)
        {
            Assert.True(size == expected, $"The computed size is {size}, that as JSON {expected}: {Show(text)}");
        }

        Assert.True(size >= expected, $"The bound is {size}, the size as JSON {expected}: {Show(text)}");
        Assert.True(sizes.BoundOf(text.Length) >= size, $"The bound of the length is below that of the text: {Show(text)}");
    }

    private static string Show(string text) => string.Join(' ', text.Take(80).Select(unit => $"{(int)unit:x4}"));
}
