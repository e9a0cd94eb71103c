using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>Tests the text that names the largest members of an event.</summary>
public sealed class LargestMembersTests
{
    [Fact]
    public void Describe_AnObject_NamesTheThreeLargestWithTheirSizes() =>
        Assert.Equal(
            " Its largest members: history (1,002 bytes), images (802 bytes), customer (504 bytes).",
            Describe(new OrderDrawn(
                "1",
                new CustomerDrawn(new string('c', 493)),
                new string('p', 300),
                new string('i', 800),
                new string('h', 1_000))));

    [Fact]
    public void Describe_SmallMembers_AreLeftOut() =>
        Assert.Equal(
            " Its largest members: history (100,002 bytes).",
            Describe(new OrderDrawn("1", History: new string('h', 100_000), Images: new string('i', 900))));

    [Fact]
    public void Describe_AllMembersSmall_NamesThem() =>
        Assert.Equal(" Its largest members: name (1 bytes).", Describe("""{"name":1}""", typeof(CustomerDrawn)));

    [Theory]
    [InlineData("[1,2,3]")]
    [InlineData("\"text\"")]
    [InlineData("1")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"name":"x""")]
    [InlineData("""{"name":[1,}""")]
    [InlineData("no JSON")]
    public void Describe_NoObjectOrNoMembers_IsEmpty(string body) => Assert.Equal("", Describe(body, typeof(CustomerDrawn)));

    [Fact]
    public void Describe_TooDeep_IsEmpty() =>
        Assert.Equal("", Describe($$"""{"name":{{new string('[', 100)}}{{new string(']', 100)}}}""", typeof(CustomerDrawn)));

    [Theory]
    [InlineData("""{"NAME":1234}""", " Its largest members: name (4 bytes).")]
    [InlineData("""{"n\u0061me":1234}""", " Its largest members: name (4 bytes).")]
    [InlineData("""{"name" : 1234 , }""", " Its largest members: name (4 bytes).")]
    [InlineData("""{"name":[1, {"name":2}]}""", " Its largest members: name (15 bytes).")]
    [InlineData("""{"someone@example.com":1234}""", " Its largest members: another member (4 bytes).")]
    [InlineData("""{"4915112345678":1234,"name":1}""", " Its largest members: another member (4 bytes), name (1 bytes).")]
    [InlineData("""{"\ud800":1}""", "")]
    public void Describe_NamesOfABody_AreShownIfTheTypeDeclaresThem(string body, string expected) =>
        Assert.Equal(expected, Describe(body, typeof(CustomerDrawn)));

    [Fact]
    public void Describe_ExtensionDataAndDerivedTypes_ShowsDeclaredNamesOnly()
    {
        Assert.Equal(
            " Its largest members: another member (5 bytes), number (1 bytes).",
            Describe("""{"4915112345678":12345,"number":1}""", typeof(AnythingDrawn)));
        Assert.Equal(
            " Its largest members: radius (5 bytes), name (1 bytes).",
            Describe("""{"name":1,"radius":12345}""", typeof(ShapeDrawn)));
        Assert.Equal(
            " Its largest members: another member (5 bytes).",
            Describe("""{"4915112345678":12345}""", typeof(Dictionary<string, int>)));
    }

    [Fact]
    public void Describe_UnknownType_ShowsSizesOnly() =>
        Assert.Equal(
            " Its largest members: another member (4 bytes).",
            LargestMembers.Describe("""{"name":1234}"""u8, info: null));

    [Fact]
    public void Describe_ALongName_IsCut() =>
        Assert.Equal(
            $" Its largest members: {new string('n', 64)}... (1 bytes).",
            Describe($$"""{"{{LongNamed.Name}}":1}""", typeof(LongNamed)));

    /// <summary>Only the three largest members are kept while an object is read.</summary>
    [Fact]
    public void Describe_ThousandsOfMembers_NamesThree()
    {
        var body = JsonSerializer.Serialize(Enumerable.Range(0, 10_000).ToDictionary(number => $"n{number}", number => number));

        var text = Describe(body, typeof(CustomerDrawn));

        // Each of them is smaller than a hundredth of the object.
        Assert.Equal(" Its largest members: another member (4 bytes).", text);
    }

    private static string Describe<T>(T value) => Describe(JsonSerializer.Serialize(value, InfoOf(typeof(T))), typeof(T));

    private static string Describe(string body, Type type) => LargestMembers.Describe(Encoding.UTF8.GetBytes(body), InfoOf(type));

    private static JsonTypeInfo InfoOf(Type type) => new EventJson([], 32).Find(type)!;

    internal sealed record OrderDrawn(
        string OrderId,
        CustomerDrawn? Customer = null,
        string? Products = null,
        string? Images = null,
        string? History = null);

    internal sealed record CustomerDrawn(object Name);

    internal sealed record AnythingDrawn(int Number)
    {
        [JsonExtensionData]
        public Dictionary<string, JsonElement>? More { get; init; }
    }

    [JsonDerivedType(typeof(CircleDrawn), "circle")]
    internal record ShapeDrawn(int Name);

    internal sealed record CircleDrawn(int Name, int Radius) : ShapeDrawn(Name);

    internal sealed record LongNamed([property: JsonPropertyName(LongNamed.Name)] int Number)
    {
        public const string Name = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
    }
}
