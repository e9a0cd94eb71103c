using EventBus.Transports;

namespace EventBus;

public sealed class KeyOrderTests
{
    [Fact]
    public void Key_OfAnEventThatWasNotAccepted_IsHeldBack()
    {
        var order = default(KeyOrder);
        order.Record("a", PublishOutcome.Accepted);
        order.Record("b", PublishOutcome.Failed(new IOException("gone")));
        order.Record("c", PublishOutcome.Unrouted);
        order.Record("d", PublishOutcome.InDoubt(new IOException("gone")));
        order.HoldBack("e");

        Assert.Equal([false, true, false, true, true], new[] { "a", "b", "c", "d", "e" }.Select(key => order.IsHeldBack(key)));
        Assert.True(order.HoldsBackAny);
    }

    [Fact]
    public void Key_OfAnotherCase_IsAnotherKey()
    {
        var order = default(KeyOrder);
        order.HoldBack("a");

        Assert.False(order.IsHeldBack("A"));
    }

    [Fact]
    public void Event_WithoutAKey_IsNeverHeldBack()
    {
        var order = default(KeyOrder);
        order.Record(null, PublishOutcome.Rejected(new IOException("gone")));

        Assert.False(order.IsHeldBack(null));
        Assert.False(order.HoldsBackAny);
    }

    [Fact]
    public void NotSent_OfAHeldBackEvent_IsFailedWithTheReason()
    {
        Assert.Equal(PublishStatus.Failed, KeyOrder.NotSent.Status);
        Assert.Equal("An earlier event of the same key was not accepted.", KeyOrder.NotSent.Error?.Message);
    }
}
