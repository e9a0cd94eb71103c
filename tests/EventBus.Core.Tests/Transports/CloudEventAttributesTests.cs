using System.Reflection;
using EventBus.Transports;

namespace EventBus;

public sealed class CloudEventAttributesTests
{
    private static readonly string[] Names = [.. typeof(CloudEventAttributes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Where(field => field.FieldType == typeof(string)
            && field.Name is not (nameof(CloudEventAttributes.Version) or nameof(CloudEventAttributes.UnreadableType)))
        .Select(field => (string)field.GetRawConstantValue()!)];

    [Fact]
    public void Names_OfTheTable_AreAllowedByCloudEvents()
    {
        Assert.Equal(15, Names.Length);
        Assert.All(Names, name => Assert.True(CloudEventAttributes.Contains(name), name));
        Assert.All(Names, name => Assert.All(name, c => Assert.True(char.IsAsciiLetterLower(c), name)));
        Assert.Equal(CloudEventAttributes.MaxLength, Names.Max(name => name.Length));
        Assert.False(CloudEventAttributes.Contains("data"));
        Assert.False(CloudEventAttributes.Contains("tenant"));
    }

    [Fact]
    public void IdFromContent_OfTheSameNameAndContent_IsTheSame()
    {
        var id = CloudEventAttributes.IdFromContent("order.placed", "{}"u8);

        // Part of the wire format: instances of different versions must agree.
        Assert.Equal("sha256-8964eedf50822bf2b378204440e350b0ef457ba641086a89ed7e8f5e1715932b", id);
        Assert.Equal(id, CloudEventAttributes.IdFromContent("order.placed", "{}"u8));
        Assert.NotEqual(id, CloudEventAttributes.IdFromContent("order.placed", "[]"u8));
        Assert.NotEqual(id, CloudEventAttributes.IdFromContent("order.paid", "{}"u8));
        Assert.NotEqual(CloudEventAttributes.IdFromContent("a", "bc"u8), CloudEventAttributes.IdFromContent("ab", "c"u8));
    }

    [Theory]
    [InlineData("application/json", true)]
    [InlineData("Application/JSON; charset=utf-8", true)]
    [InlineData("text/json", true)]
    [InlineData(" application/vnd.shop+json ;v=1", true)]
    [InlineData("application/jsonl", false)]
    [InlineData("text/plain; note=application/json", false)]
    [InlineData("", false)]
    public void IsJson_OfAMediaType_IgnoresCaseAndParameters(string contentType, bool isJson) =>
        Assert.Equal(isJson, CloudEventAttributes.IsJson(contentType));

    [Fact]
    public void UnreadableType_OfTheTable_IsTheNameThatDamagedEventsGet()
    {
        var envelope = new Envelope(new EnvelopeAttributes { Id = "1", Name = new string('n', 300) }, []);

        Assert.Equal(CloudEventAttributes.UnreadableType, envelope.Name);
        Assert.StartsWith($"The attribute '{CloudEventAttributes.Type}' has", envelope.Defect, StringComparison.Ordinal);
    }
}
