using System.Data.Common;
using System.Net.Sockets;
using EventBus.Stores;

namespace EventBus;

/// <summary>Distinguishes the errors of failed writes: refusals and their scopes, and outages.</summary>
internal static class WriteErrors
{
    /// <summary>True if the store says that it accepts no write of the scope.</summary>
    public static bool IsRefusal(Exception error, StoreScope scope) => error is StoreRefusedException refused && refused.Scope == scope;

    /// <summary>True for a timeout or a lost connection, which can affect any write.</summary>
    public static bool IsOutage(Exception error) =>
        ExceptionChain.Of(error).Any(each => each is TimeoutException
            or OperationCanceledException
            or SocketException
            or IOException
            or DbException { IsTransient: true });

    /// <summary>
    /// Returns the scope that the store gave. Without one, the error concerns only this entry if the store answers the
    /// probe.
    /// </summary>
    /// <param name="error">The error.</param>
    /// <param name="storeAnswers">The result of the latest probe; null if the error made it needless.</param>
    public static StoreScope ScopeOf(Exception error, bool? storeAnswers)
    {
        if (error is StoreRefusedException refused)
        {
            return refused.Scope;
        }

        return storeAnswers == true ? StoreScope.Entry : StoreScope.Store;
    }
}
