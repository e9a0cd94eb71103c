namespace EventBus;

public sealed class BackoffTests
{
    private static readonly Backoff Doubling = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5));

    [Theory]
    [InlineData(1, 100)]
    [InlineData(2, 200)]
    [InlineData(6, 3_200)]
    [InlineData(7, 5_000)]
    [InlineData(int.MaxValue, 5_000)]
    [InlineData(0, 100)]
    public void Delay_AfterFailures_DoublesUpToTheLongest(int failures, int milliseconds) =>
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), Doubling.After(failures));

    [Fact]
    public void Delay_WithEqualLimits_IsConstant()
    {
        var constant = new Backoff(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2));

        Assert.All(Enumerable.Range(1, 50), failures => Assert.Equal(TimeSpan.FromSeconds(2), constant.After(failures)));
    }

    [Fact]
    public void Delay_WithJitter_IsBetweenHalfAndAllOfIt()
    {
        var backoff = Doubling with { Jitter = new RandomSource(seed: 7) };
        var delays = Enumerable.Range(0, 1_000).Select(_ => backoff.After(2).TotalMilliseconds).ToList();

        Assert.All(delays, delay => Assert.InRange(delay, 100, 200));
        Assert.InRange(delays.Average(), 140, 160);
        Assert.InRange(delays.Distinct().Count(), 900, 1_000);
    }

    [Fact]
    public void Delay_OfTheLongestTimes_DoesNotOverflow()
    {
        var backoff = new Backoff(TimeSpan.FromDays(10_000), TimeSpan.MaxValue);

        Assert.InRange(backoff.After(100), TimeSpan.FromDays(10_000), TimeSpan.MaxValue);
    }
}
