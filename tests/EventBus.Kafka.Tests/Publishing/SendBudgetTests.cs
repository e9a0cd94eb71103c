namespace EventBus.Kafka.Tests;

/// <summary>Tests the limit of what is outstanding.</summary>
public sealed class SendBudgetTests
{
    [Fact]
    public void TryTake_UpToEachLimit_IsTrue()
    {
        var budget = new SendBudget(maxCount: 2, maxBytes: 10);

        Assert.True(budget.TryTake(4));
        Assert.False(budget.TryTake(7));
        Assert.True(budget.TryTake(6));
        Assert.False(budget.TryTake(0));

        budget.Return(4);
        Assert.True(budget.TryTake(1));
    }

    [Fact]
    public void TryTake_OneRecordAboveTheLimit_IsTrueIfItIsAlone()
    {
        var budget = new SendBudget(maxCount: 2, maxBytes: 10);

        Assert.True(budget.TryTake(100));
        Assert.False(budget.TryTake(1));

        budget.Return(100);
        Assert.Equal(0, budget.Count);
    }
}
