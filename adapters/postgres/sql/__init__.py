"""Every SQL statement of this adapter, as constants by subject. None is built by string formatting.

Records travel as JSON in one parameter (`jsonb_to_recordset`), so that the statement for one
execution and for a thousand is the same text with the same number of parameters.
"""
