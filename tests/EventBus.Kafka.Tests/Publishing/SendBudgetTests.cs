namespace EventBus.Kafka.Tests;

/// <summary>Tests the limit of what is outstanding.</summary>
public sealed class SendBudgetTests
{
    [Fact]
    public void TryTake_UpToEachLimit_IsTrue()
    {
        var budget = new SendBudget(maxCount: 2, maxBytes: 10);

        Assert.True(budget.TryTake("a", 4));
        Assert.False(budget.TryTake("a", 7));
        Assert.True(budget.TryTake("a", 6));
        Assert.False(budget.TryTake("a", 0));

        budget.Return("a", 4);
        Assert.True(budget.TryTake("a", 1));
    }

    [Fact]
    public void TryTake_OneRecordAboveTheLimit_IsTrueIfItIsAlone()
    {
        var budget = new SendBudget(maxCount: 2, maxBytes: 10);

        Assert.True(budget.TryTake("a", 100));
        Assert.False(budget.TryTake("a", 1));

        budget.Return("a", 100);
        Assert.Equal(0, budget.Count);
    }

    [Fact]
    public void TryTake_ATopicThatIsNotAnswered_LeavesRoomForOthers()
    {
        var budget = new SendBudget(maxCount: 4, maxBytes: 1_000);
        Assert.True(budget.TryTake("b", 1));
        budget.Return("b", 1);

        Assert.Equal([true, true, false], [budget.TryTake("a", 1), budget.TryTake("a", 1), budget.TryTake("a", 1)]);
        Assert.True(budget.TryTake("b", 1));
    }

    [Fact]
    public void Return_AfterARefusal_IsWorthSendingWhenAQuarterIsFree()
    {
        var budget = new SendBudget(maxCount: 8, maxBytes: 1_000);
        Assert.All(Enumerable.Range(0, 8), _ => Assert.True(budget.TryTake("a", 1)));
        Assert.False(budget.Return("a", 1));
        Assert.True(budget.TryTake("a", 1));
        Assert.False(budget.TryTake("a", 1));

        Assert.Equal([false, true, false], [budget.Return("a", 1), budget.Return("a", 1), budget.Return("a", 1)]);
    }
}
