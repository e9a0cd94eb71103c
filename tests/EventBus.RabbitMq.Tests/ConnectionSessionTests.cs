using System.Reflection;
using Microsoft.Extensions.Time.Testing;
using RabbitMQ.Client;
using Xunit;

namespace EventBus.RabbitMq.Tests;

/// <summary>The deadline of a call to the broker.</summary>
public sealed class ConnectionSessionTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly FakeTimeProvider time = new();

    /// <summary>
    /// The broker answers on one channel and not on the other: the call fails alone, and does not wait as long as on a
    /// slow connection.
    /// </summary>
    [Fact]
    public async Task Call_ItsChannelDoesNotAnswer_FailsAloneAfterOneDeadline()
    {
        var session = Session();
        var call = session.CallAsync(new TaskCompletionSource().Task);
        session.RecordActivity();
        session.Answered();
        session.Answered();

        time.Advance(Timeout);

        await Assert.ThrowsAsync<TimeoutException>(() => call.WaitAsync(TestBroker.Patience, TestContext.Current.CancellationToken));
        Assert.False(session.Ended.IsCompleted);
    }

    /// <summary>One answer alone may be to a question from before the call.</summary>
    [Fact]
    public async Task Call_OnASlowConnection_WaitsSeveralDeadlines()
    {
        var session = Session();
        var answer = new TaskCompletionSource();
        var call = session.CallAsync(answer.Task);
        session.RecordActivity();
        session.Answered();

        time.Advance(Timeout);
        Assert.False(call.IsCompleted);
        answer.SetResult();

        await call.WaitAsync(TestBroker.Patience, TestContext.Current.CancellationToken);
    }

    private ConnectionSession Session() => new(
        DispatchProxy.Create<IConnection, SilentConnection>(),
        1,
        Timeout,
        time)
    { Blocked = _ => { }, Traffic = new ConnectionTraffic() };

    /// <summary>Stands for the client's connection, of which these tests need nothing.</summary>
    public class SilentConnection : DispatchProxy
    {
        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            targetMethod!.ReturnType == typeof(bool) ? true : null;
    }
}
