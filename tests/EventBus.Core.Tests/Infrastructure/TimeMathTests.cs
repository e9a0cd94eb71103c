namespace EventBus;

public sealed class TimeMathTests
{
    private static readonly DateTimeOffset Noon = new(2025, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Shorter_OfTwoDurations_TreatsInfiniteAsTheLongest()
    {
        var (brief, longer) = (TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));

        Assert.Equal(brief, TimeMath.Shorter(brief, longer));
        Assert.Equal(brief, TimeMath.Shorter(longer, brief));
        Assert.Equal(longer, TimeMath.Shorter(longer, Timeout.InfiniteTimeSpan));
        Assert.Equal(longer, TimeMath.Shorter(Timeout.InfiniteTimeSpan, longer));
        Assert.Equal(Timeout.InfiniteTimeSpan, TimeMath.Shorter(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));
    }

    [Fact]
    public void Earlier_OfTwoTimes_LeavesOutAMissingOne()
    {
        Assert.Equal(Noon, TimeMath.Earlier(Noon, Noon.AddTicks(1)));
        Assert.Equal(Noon, TimeMath.Earlier(Noon.AddTicks(1), Noon));
        Assert.Equal(Noon, TimeMath.Earlier(Noon, null));
        Assert.Equal(Noon, TimeMath.Earlier(null, Noon));
        Assert.Null(TimeMath.Earlier(null, null));
    }
}
