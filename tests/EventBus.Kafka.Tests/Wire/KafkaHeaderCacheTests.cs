using System.Text;

namespace EventBus.Kafka.Tests;

/// <summary>Tests the headers that the events of an application have in common.</summary>
public sealed class KafkaHeaderCacheTests
{
    private readonly KafkaHeaderCache headers = new("shop");

    [Fact]
    public void TypeOf_TheSameNameAgain_IsTheSameHeader()
    {
        Assert.Equal("ce_type", headers.TypeOf("order.placed").Key);
        Assert.Equal("order.placed"u8.ToArray(), headers.TypeOf("order.placed").GetValueBytes());
        Assert.Same(headers.TypeOf("order.placed"), headers.TypeOf("order.placed"));
    }

    [Fact]
    public void TypeOf_MoreNamesThanAreKept_IsCorrectForEach()
    {
        for (var i = 0; i < 1_100; i++)
        {
            Assert.Equal(Encoding.UTF8.GetBytes($"order.n{i}"), headers.TypeOf($"order.n{i}").GetValueBytes());
        }

        Assert.NotSame(headers.TypeOf("order.n1099"), headers.TypeOf("order.n1099"));
    }

    [Fact]
    public void SourceOf_AnEventWithASourceOfItsOwn_IsThatSource()
    {
        Assert.Equal("shop"u8.ToArray(), headers.SourceOf(null).GetValueBytes());
        Assert.Equal("billing"u8.ToArray(), headers.SourceOf("billing").GetValueBytes());
    }
}
