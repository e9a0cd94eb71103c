using System.Globalization;
using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Creates the marks under which the index contains a saga (<see cref="RedisSagaScripts"/>); each ends in a slash.
/// </summary>
internal static class RedisSagaMarks
{
    /// <summary>The beginning of the marks of all sagas that need an alert; its time follows.</summary>
    public const string Alerts = "alert/";

    private const int NumberLength = 16;
    private const long MaxNumber = 9_999_999_999_999_999;

    /// <summary>
    /// Returns the marks of a saga. An at sign stands for the name of the saga; the script replaces it with the stored
    /// name.
    /// </summary>
    public static IEnumerable<RedisValue> Of(SagaEntry entry)
    {
        yield return "all/";
        yield return "saga/@/";
        yield return $"status/{(int)entry.Status}/";
        yield return $"both/{(int)entry.Status}/@/";
        if (entry.DueAt is { } due)
        {
            yield return $"due/@/{RedisSagaFormat.Time(due)}/";
        }

        if (entry.AlertAt is { } alert)
        {
            yield return $"{Alerts}{RedisSagaFormat.Time(alert)}/";
        }

        if (entry.KeepUntil is { } until)
        {
            yield return $"keep/{RedisSagaFormat.Time(until)}/";
        }

        if (entry.WaitKey is { } key)
        {
            yield return Waiting(key);
        }
    }

    /// <summary>Returns the beginning of the marks of all sagas with a name and a due time; the time follows.</summary>
    public static string Due(string saga) => $"due/{RedisSagaFormat.Escape(saga)}/";

    /// <summary>Returns the mark of the sagas that wait for a reply with a key.</summary>
    public static string Waiting(string key) => $"wait/{RedisSagaFormat.Escape(key)}/";

    /// <summary>Returns the mark of the sagas that match the name and the status of a filter.</summary>
    public static string Matching(SagaFilter filter) => filter switch
    {
        { Saga: { } saga, Status: { } status } => $"both/{(int)status}/{RedisSagaFormat.Escape(saga)}/",
        { Saga: { } saga } => $"saga/{RedisSagaFormat.Escape(saga)}/",
        { Status: { } status } => $"status/{(int)status}/",
        _ => "all/",
    };

    /// <summary>Writes a number as sortable text: always 16 digits.</summary>
    public static string Number(long number) => Math.Clamp(number, 0, MaxNumber).ToString("D16", CultureInfo.InvariantCulture);

    /// <summary>Returns the id that follows the mark, the number and a slash in an index member.</summary>
    public static string IdOf(string member, string mark) => member[(mark.Length + NumberLength + 1)..];
}
