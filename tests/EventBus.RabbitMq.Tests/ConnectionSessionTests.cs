using System.Reflection;
using Microsoft.Extensions.Time.Testing;
using RabbitMQ.Client;
using Xunit;

namespace EventBus.RabbitMq.Tests;

/// <summary>Tests the deadline of a call to the broker.</summary>
public sealed class ConnectionSessionTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly FakeTimeProvider time = new();

    /// <summary>
    /// The broker answers on one channel and not on the other: only the call on the silent channel fails, and without
    /// the longer wait of a slow connection.
    /// </summary>
    [Fact]
    public async Task Call_ItsChannelDoesNotAnswer_FailsAloneAfterOneDeadline()
    {
        var session = Session();
        var call = session.CallAsync(new TaskCompletionSource().Task);
        session.RecordActivity();
        session.RecordProbeAnswer();
        session.RecordProbeAnswer();

        time.Advance(Timeout);

        await Assert.ThrowsAsync<TimeoutException>(() => call.WaitAsync(TestBroker.Patience, TestContext.Current.CancellationToken));
        Assert.False(session.Ended.IsCompleted);
    }

    /// <summary>A single answer may belong to a request from before the call.</summary>
    [Fact]
    public async Task Call_OnASlowConnection_WaitsSeveralDeadlines()
    {
        var session = Session();
        var answer = new TaskCompletionSource();
        var call = session.CallAsync(answer.Task);
        session.RecordActivity();
        session.RecordProbeAnswer();

        time.Advance(Timeout);
        Assert.False(call.IsCompleted);
        answer.SetResult();

        await call.WaitAsync(TestBroker.Patience, TestContext.Current.CancellationToken);
    }

    private ConnectionSession Session() => new(
        DispatchProxy.Create<IConnection, SilentConnection>(),
        1,
        Timeout,
        onBlocked: _ => { },
        time)
    { Traffic = new ConnectionTraffic() };

    /// <summary>A connection of the client of which these tests use no member.</summary>
    public class SilentConnection : DispatchProxy
    {
        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            targetMethod!.ReturnType == typeof(bool) ? true : null;
    }
}
