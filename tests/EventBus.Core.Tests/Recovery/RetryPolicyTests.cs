namespace EventBus;

public sealed class RetryPolicyTests
{
    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 30)]
    [InlineData(3, 120)]
    [InlineData(4, 480)]
    [InlineData(90, 3600)]
    public void DelayAfter_Defaults_AreFiveThirtyAndTwoMinutes(int starts, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Policy(new RetryOptions { Jitter = 0 }).DelayAfter(starts));

    [Fact]
    public void DelayAfter_Jitter_SpreadsBothWaysWithinItsPart()
    {
        var policy = Policy(new RetryOptions());

        var delays = Enumerable.Range(0, 1_000).Select(_ => policy.DelayAfter(1).TotalSeconds).ToList();

        Assert.All(delays, delay => Assert.InRange(delay, 4, 6));
        Assert.True(delays.Min() < 4.2 && delays.Max() > 5.8, $"{delays.Min()} to {delays.Max()}");
    }

    [Theory]
    [InlineData(3, true)]
    [InlineData(4, false)]
    public void Allows_Defaults_OneStartAndThreeRetries(int starts, bool expected) => Assert.Equal(expected, Policy(new RetryOptions()).Allows(starts));

    [Fact]
    public void IsPermanent_WrappedAlone_IsFound()
    {
        var policy = new RetryPolicy(new RetryOptions(), [exception => exception is FormatException], new RandomSource(1));

        Assert.True(policy.IsPermanent(new AggregateException(new FormatException())));
        Assert.False(policy.IsPermanent(new AggregateException(new FormatException(), new TimeoutException())));
    }

    private static RetryPolicy Policy(RetryOptions options) => new(options, [], new RandomSource(1));
}
