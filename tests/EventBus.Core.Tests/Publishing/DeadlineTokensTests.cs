using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed class DeadlineTokensTests
{
    private readonly FakeTimeProvider time = new();

    [Fact]
    public void Token_WithinOneInterval_IsShared()
    {
        var tokens = Make(TimeSpan.FromSeconds(10), CancellationToken.None);

        Assert.Equal(tokens.Token(Now()), tokens.Token(Now()));
    }

    [Fact]
    public void Token_AfterItsTime_IsCancelledWithinOneInterval()
    {
        var tokens = Make(TimeSpan.FromSeconds(10), CancellationToken.None);
        _ = tokens.Token(Now());
        time.Advance(TimeSpan.FromMilliseconds(249));
        var token = tokens.Token(Now());

        time.Advance(TimeSpan.FromSeconds(10) - TimeSpan.FromMilliseconds(1));
        Assert.False(token.IsCancellationRequested, "before its timeout");
        time.Advance(TimeSpan.FromMilliseconds(251));
        Assert.True(token.IsCancellationRequested, "one interval after its timeout");
    }

    [Fact]
    public void Token_ClockJumpsBack_IsANewOne()
    {
        var tokens = Make(TimeSpan.FromSeconds(10), CancellationToken.None);
        var now = Now();

        Assert.NotEqual(tokens.Token(now), tokens.Token(now - TimeSpan.TicksPerHour));
    }

    [Fact]
    public void Token_ParentCancelled_IsCancelled()
    {
        using var parent = new CancellationTokenSource();
        var token = Make(TimeSpan.FromSeconds(10), parent.Token).Token(Now());

        parent.Cancel();

        Assert.True(token.IsCancellationRequested);
    }

    private DeadlineTokens Make(TimeSpan timeout, CancellationToken parent) =>
        new(time, timeout, TimeSpan.FromMilliseconds(250), TimeSpan.TicksPerSecond, parent);

    private long Now() => time.GetUtcNow().UtcTicks;
}
