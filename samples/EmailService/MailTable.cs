using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace EmailService;

/// <summary>
/// The table of the mails. A real service sends them from here, with the row's id as the id of the mail.
/// </summary>
public sealed class MailTable
{
    private readonly string connectionString;

    public MailTable(string file)
    {
        connectionString = $"Data Source={file}";
        using var connection = Open();
        using var create = connection.CreateCommand();

        // No unique key: it would hide a second mail of an event.
        create.CommandText = "CREATE TABLE IF NOT EXISTS mails (id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, text TEXT NOT NULL)";
        create.ExecuteNonQuery();
    }

    public static async Task InsertAsync(DbTransaction transaction, string orderId, string text, CancellationToken cancellationToken)
    {
        var sqlite = (SqliteTransaction)transaction;
        await using var insert = sqlite.Connection!.CreateCommand();
        insert.Transaction = sqlite;
        insert.CommandText = "INSERT INTO mails (order_id, text) VALUES (@order, @text)";
        insert.Parameters.AddWithValue("@order", orderId);
        insert.Parameters.AddWithValue("@text", text);
        await insert.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Prints one line for each mail.</summary>
    public void Print()
    {
        using var connection = Open();
        using var select = connection.CreateCommand();
        select.CommandText = "SELECT order_id, text FROM mails ORDER BY id";
        using var rows = select.ExecuteReader();
        while (rows.Read())
        {
            Console.WriteLine($"order {rows.GetString(0)}: {rows.GetString(1)}");
        }
    }

    private SqliteConnection Open()
    {
        var connection = new SqliteConnection(connectionString);
        connection.Open();
        return connection;
    }
}
