using System.Text;

namespace EventBus.Kafka.Tests;

/// <summary>Tests the cache of the texts that records have in common.</summary>
public sealed class KafkaTextCacheTests
{
    private readonly KafkaTextCache texts = new();

    [Fact]
    public void TryRead_TheSameBytesAgain_IsTheSameString()
    {
        Assert.True(texts.TryRead("order.placed"u8.ToArray(), out var first));
        Assert.True(texts.TryRead("order.placed"u8.ToArray(), out var second));

        Assert.Equal("order.placed", first);
        Assert.Same(first, second);
    }

    [Fact]
    public void TryRead_TextsThatShareASlot_AreDistinguished()
    {
        // Same length, same last and same middle character.
        foreach (var text in (string[])["aaxaaz", "bbxbbz", "bbxaaz", "aaxaaz"])
        {
            Assert.True(texts.TryRead(Encoding.UTF8.GetBytes(text), out var read));
            Assert.Equal(text, read);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("köln")]
    [InlineData("日本語")]
    public void TryRead_AnyText_IsEqual(string text)
    {
        Assert.True(texts.TryRead(Encoding.UTF8.GetBytes(text), out var first));
        Assert.True(texts.TryRead(Encoding.UTF8.GetBytes(text), out var second));
        Assert.Equal([text, text], [first, second]);
    }

    [Fact]
    public void TryRead_ALongText_IsNotKept()
    {
        var text = new string('x', 201);

        Assert.True(texts.TryRead(Encoding.UTF8.GetBytes(text), out var first));
        Assert.True(texts.TryRead(Encoding.UTF8.GetBytes(text), out var second));

        Assert.Equal(text, first);
        Assert.NotSame(first, second);
    }

    [Fact]
    public void TryRead_BytesThatAreNoUtf8_IsFalseAgainAndAgain()
    {
        Assert.False(texts.TryRead([0x6F, 0xFF, 0x65], out _));
        Assert.False(texts.TryRead([0x6F, 0xFF, 0x65], out _));
    }

    [Theory]
    [InlineData("order.placed", true)]
    [InlineData("order.*", false)]
    [InlineData("Order Placed", false)]
    [InlineData("", false)]
    public void IsName_OfACachedTextAndAnother_IsTheSame(string text, bool expected)
    {
        Assert.True(texts.TryRead(Encoding.UTF8.GetBytes(text), out var cached));

        Assert.Equal(expected, texts.IsName(cached));
        Assert.Equal(expected, texts.IsName(new string(text.AsSpan())));
    }
}
