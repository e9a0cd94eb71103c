using System.Text;
using EventBus.Transports;

namespace EventBus;

public sealed partial class InvalidInputTests
{
    public static TheoryData<string, byte[]> Malformed => new()
    {
        { "empty", [] },
        { "null", Bytes("null") },
        { "a text", Bytes("\"parcel\"") },
        { "a list", Bytes($"[{Good}]") },
        { "not JSON", Bytes("<parcel id='p1'/>") },
        { "single quotes", Bytes("{'parcelId':'p1'}") },
        { "a comment", Bytes("/* p1 */" + Good) },
        { "a comma too many", Bytes("""{"parcelId":"p1",}""") },
        { "two values", Bytes(Good + Good) },
        { "two byte order marks", [0xEF, 0xBB, 0xBF, 0xEF, 0xBB, 0xBF, .. Bytes(Good)] },
        { "UTF-16", Encoding.Unicode.GetBytes(Good) },
        { "a zero byte", [.. Bytes(Good), 0] },
        { "invalid UTF-8", [.. Bytes("""{"parcelId":"p"""), 0xC3, 0x28, .. Bytes("\"}")] },
        { "UTF-8 that is cut", [.. Bytes("""{"parcelId":"p"""), 0xE2, 0x82, .. Bytes("\"}")] },
        { "half a surrogate pair", Bytes("""{"parcelId":"\uD800"}""") },
    };

    [Theory]
    [MemberData(nameof(Malformed), DisableDiscoveryEnumeration = true)]
    public async Task Malformed_Body_IsADeadLetterWithItsBytes(string what, byte[] body)
    {
        await using var bus = await StartAsync();

        await transport.DeliverAsync(Message("1", body));

        var letter = await AssertDeadAsync(bus, DeadLetterReason.Unreadable, body);
        Assert.False(string.IsNullOrEmpty(letter.Error), what);
        await AssertContinuesAsync();
    }

    [Fact]
    public async Task Malformed_CutAtAnyByte_IsADeadLetter()
    {
        await using var bus = await StartAsync();

        await transport.DeliverAsync(
            [.. Enumerable.Range(0, Good.Length).Select(length => Message($"cut-{length}", Bytes(Good[..length])))]);

        Assert.Equal(Good.Length, await bus.DeadLetters.CountAsync(new DeadLetterFilter { Reason = DeadLetterReason.Unreadable }, Token));
        Assert.Empty(seen.Items);
        await AssertContinuesAsync();
    }

    [Theory]
    [InlineData("text/xml", false)]
    [InlineData("", false)]
    [InlineData("application/jsonp", false)]
    [InlineData("application/x-msgpack", false)]
    [InlineData("Application/JSON; charset=utf-8", true)]
    [InlineData("application/vnd.parcel+json", true)]
    [InlineData("text/json", true)]
    [InlineData(" application/json ;charset=\"UTF-8\"", true)]
    [InlineData("application/json; charset=us-ascii", true)]
    [InlineData("application/json; charset=klingon", true)]
    [InlineData("application/json; charset=utf8mb4", true)]
    [InlineData("application/json; charset=binary", true)]
    [InlineData("application/json; charset=utf-7", true)]
    [InlineData("application/json; charset=utf-16", false)]
    public async Task Malformed_ContentType_IsReadOnlyIfItIsJson(string contentType, bool readable)
    {
        await using var bus = await StartAsync();

        await transport.DeliverAsync((new EnvelopeAttributes { Id = "1", Name = Name, ContentType = contentType }, Bytes(Good)));

        Assert.Equal(
            readable ? 0 : 1,
            await bus.DeadLetters.CountAsync(new DeadLetterFilter { Reason = DeadLetterReason.Unreadable }, Token));
        Assert.Equal(readable ? 1 : 0, seen.Items.Count);
    }

    /// <summary>Other clients may write a byte order mark, or declare another character set.</summary>
    [Theory]
    [InlineData("application/json", "utf-8", true)]
    [InlineData("application/json; charset=UTF-8", "utf-8", true)]
    [InlineData("application/json; charset=iso-8859-1", "iso-8859-1", false)]
    [InlineData("application/json; charset=utf-16", "utf-16", true)]
    [InlineData("application/json; charset=utf-16", "utf-16", false)]
    [InlineData("application/json; charset=utf-16", "utf-16BE", true)]
    [InlineData("application/json; charset=utf-8", "utf-16BE", true)]
    [InlineData("application/json", "utf-16", true)]
    [InlineData("application/json; charset=iso-8859-1", "utf-8", true)]
    [InlineData("application/json; charset=binary", "utf-32", true)]
    [InlineData("application/json; charset=utf-32", "utf-32BE", true)]
    [InlineData("application/json; charset=utf-32", "utf-32", false)]
    public async Task Body_InTheCharacterSetOfItsMediaType_IsRead(string contentType, string charset, bool marked)
    {
        await using var bus = await StartAsync();
        var encoding = Encoding.GetEncoding(charset);

        await transport.DeliverAsync((
            new EnvelopeAttributes { Id = "1", Name = Name, ContentType = contentType },
            [.. marked ? encoding.GetPreamble() : [], .. encoding.GetBytes(Good)]));

        Assert.Equal(0, await bus.DeadLetters.CountAsync(cancellationToken: Token));
        Assert.Single(seen.Items);
    }
}
